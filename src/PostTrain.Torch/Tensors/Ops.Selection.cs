using PostTrain.Torch.Interop;

namespace TorchSharp;

internal static partial class Ops
{
    internal static readonly Operator
        gather = new("gather"),
        scatter_src = new("scatter.src"),
        scatter__src = new("scatter_.src"),
        scatter_add = new("scatter_add"),
        scatter_add_ = new("scatter_add_"),
        index_select = new("index_select"),
        index_add = new("index_add"),
        index_add_ = new("index_add_"),
        index_copy = new("index_copy"),
        index_copy_ = new("index_copy_"),
        index_fill_int_Scalar = new("index_fill.int_Scalar"),
        index_fill__int_Scalar = new("index_fill_.int_Scalar"),
        masked_fill_Scalar = new("masked_fill.Scalar"),
        masked_fill__Scalar = new("masked_fill_.Scalar"),
        masked_scatter = new("masked_scatter"),
        masked_scatter_ = new("masked_scatter_"),
        masked_select = new("masked_select"),
        take = new("take"),
        take_along_dim = new("take_along_dim"),
        nonzero = new("nonzero"),
        nonzero_numpy = new("nonzero_numpy"),
        argwhere = new("argwhere"),
        select_scatter = new("select_scatter"),
        slice_scatter = new("slice_scatter"),
        diagonal_scatter = new("diagonal_scatter");
}
