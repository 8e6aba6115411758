namespace PostTrain.Torch.Tests.Gradients;

/// <summary>Operators without a gradient with respect to any argument: whole-number or boolean results, factories, random numbers, writes into a given tensor.</summary>
internal static class NonDifferentiable
{
    internal static readonly string[] Operators =
    [
        .. Words("equal allclose isclose isnan isinf isfinite isposinf isneginf isreal isin_Tensor_Tensor is_nonzero signbit where heaviside nextafter"),
        .. Words("eq_Tensor eq_Scalar ne_Tensor ne_Scalar lt_Tensor lt_Scalar le_Tensor le_Scalar gt_Tensor gt_Scalar ge_Tensor ge_Scalar"),
        .. Words("eq__Tensor eq__Scalar ne__Tensor ne__Scalar lt__Tensor lt__Scalar le__Tensor le__Scalar gt__Tensor gt__Scalar ge__Tensor ge__Scalar"),
        .. Words("logical_and logical_and_ logical_or logical_or_ logical_xor logical_xor_ logical_not logical_not_ gcd gcd_ lcm lcm_"),
        .. Words("bitwise_and_Tensor bitwise_or_Tensor bitwise_xor_Tensor bitwise_not bitwise_left_shift_Tensor bitwise_right_shift_Tensor"),
        .. Words("bitwise_and__Tensor bitwise_or__Tensor bitwise_xor__Tensor bitwise_not_ bitwise_left_shift__Tensor bitwise_right_shift__Tensor"),
        .. Words("argmax argmin all all_dim any any_dim count_nonzero count_nonzero_dim_IntList argsort nonzero nonzero_numpy argwhere"),
        .. Words("unique_dim _unique2 unique_consecutive bincount histc bucketize_Tensor searchsorted_Tensor searchsorted_Scalar linalg_matrix_rank_atol_rtol_float"),
        .. Words("zeros ones empty_memory_format full rand rand_generator randn randn_generator scalar_tensor arange arange_start arange_start_step linspace logspace eye_m"),
        .. Words("randint_low randint_low_generator randperm randperm_generator tril_indices triu_indices empty_strided"),
        .. Words("zeros_like ones_like empty_like full_like rand_like randn_like randint_like_low_dtype new_zeros new_ones new_empty new_full"),
        .. Words("bernoulli bernoulli__Tensor bernoulli__float multinomial binomial poisson normal_ uniform_ exponential_ cauchy_ geometric_ log_normal_ random__from"),
        .. Words("normal_Tensor_Tensor _standard_gamma _sample_dirichlet"),
        .. Words("detach detach_ set__source_Tensor is_pinned pin_memory _local_scalar_dense promote_types result_type_Tensor can_cast fill__Tensor amax_out amin_out"),
        .. Words("embedding_renorm_ one_hot"),
        // Lists of tensors are only changed where no graph is recorded.
        .. Words("_foreach_add_List _foreach_add__Scalar _foreach_add__List _foreach_mul__Scalar _foreach_addcmul__Scalar _foreach_addcdiv__Scalar"),
        .. Words("_foreach_sqrt _foreach_norm_Scalar _foreach_zero_ _foreach_maximum__List"),
        // Differentiable, but libtorch 1.13 does not have it.
        .. Words("scaled_dot_product_attention"),
        // libtorch implements no gradient for these.
        .. Words("geqrf ormqr floor_divide floor_divide_Scalar floor_divide__Tensor floor_divide__Scalar asinh_ acosh_ atanh_"),
    ];

    private static string[] Words(string names) => names.Split(' ');
}
