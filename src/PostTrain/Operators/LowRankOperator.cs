using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>y + s·(x Aᵀ)Bᵀ, the map that a low-rank adapter adds to a linear layer's result, as one node: two small products forward,
/// four backward, and no tensor of the result's size beside the result.</summary>
/// <remarks>Arguments: y [...,out], x [...,in], A [r,in], B [out,r], s. The gradient of y is that of the result itself. With y and x in
/// bfloat16, A and B are float32: the map is computed in float32, its sum with y rounded once, and the gradients of y and x are
/// bfloat16.</remarks>
internal sealed unsafe class LowRankOperator : autograd.SingleTensorFunction<LowRankOperator>
{
    public override string Name => nameof(LowRankOperator);

    /// <summary>True if <see cref="Run"/> takes these: one type, or a float32 adapter on a layer in bfloat16; and a graph is
    /// recorded.</summary>
    internal static bool Takes(Tensor y, Tensor x, Tensor a, Tensor b) =>
        Fused.TakesLayer(y, x) && Fused.Takes(a, b) && a.dtype == Fused.ComputeType(y.dtype) && Fused.Records(y, x, a, b);

    /// <summary>The shape of y.</summary>
    internal static Tensor Run(Tensor y, Tensor x, Tensor a, Tensor b, double scale)
    {
        using var scope = NewDisposeScope();
        return apply(y, x, a, b, scale).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the same value by tensor operators.</summary>
    internal static Tensor Reference(Tensor y, Tensor x, Tensor a, Tensor b, double scale)
    {
        using var scope = NewDisposeScope();
        var map = nn.functional.linear(nn.functional.linear(x.Widened(), a), b);
        return y.Widened().add(map, scale).to_type(y.dtype).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (y, x, a, b) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2], (Tensor)vars[3]);
        var scale = (double)vars[4];
        var inner = TransposedProduct.Right(a, Rows(x)).mul_(scale);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([x, a, b, inner.MoveToOuterDisposeScope(), y]);
        ctx.save_data("settings", (scale, x.requires_grad, a.requires_grad, b.requires_grad));
        var sum = y.dtype == ScalarType.BFloat16 ? RoundedSum(y, inner.t().mm(b.t())) : Rows(y).addmm(inner.t(), b.t());
        return sum.view_as(y).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (x, a, b, inner) = (saved[0], saved[1], saved[2], saved[3]);
        var (scale, ofInput, ofA, ofB) = ((double, bool, bool, bool))ctx.get_data("settings");
        if (is_grad_enabled())
            return
            [
                .. Fused.WithGraph(grad_output, [saved[4], x, a, b], own => Reference(own[0]!, own[1]!, own[2]!, own[3]!, scale)).Outward(),
                null!,
            ];
        var g = Rows(grad_output);
        // Both small products lie as [r,rows], the shape in which all six are fast.
        var outer = ofInput || ofA ? TransposedProduct.Right(b.t(), g).mul_(scale) : null;
        return Fused.Gradients(
            grad_output,
            grad_output.alias(),
            ofInput ? outer!.t().mm(a).to_type(x.dtype).view_as(x) : null,
            ofA ? outer!.mm(Rows(x)) : null,
            ofB ? inner.mm(g).t().contiguous() : null,
            null
        );
    }

    // y + map of a y in bfloat16.
    private static Tensor RoundedSum(Tensor y, Tensor map)
    {
        Tensor whole = y.contiguous(),
            result = empty_like(whole);
        RoundingPass.Add(
            TensorMemory.Address<BFloat16>(whole),
            TensorMemory.Address<float>(map),
            TensorMemory.Address<BFloat16>(result),
            result.numel()
        );
        return result;
    }

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.size(-1)).Widened();
}
