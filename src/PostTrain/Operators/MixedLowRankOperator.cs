using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary><see cref="LowRankOperator"/> with a float32 adapter on a layer in bfloat16: the map is computed in float32 and its sum with
/// the layer's result rounded once.</summary>
/// <remarks>Arguments: y [...,out] and x [...,in] in bfloat16, A [r,in] and B [out,r] in float32, s. The gradients of y and x are
/// bfloat16.</remarks>
internal sealed unsafe class MixedLowRankOperator : autograd.SingleTensorFunction<MixedLowRankOperator>
{
    public override string Name => nameof(MixedLowRankOperator);

    /// <summary>True if <see cref="Run"/> takes these, and a graph is recorded.</summary>
    internal static bool Takes(Tensor y, Tensor x, Tensor a, Tensor b) =>
        y.dtype == ScalarType.BFloat16
        && a.dtype == ScalarType.Float32
        && Fused.TakesLayer(y, x)
        && Fused.Takes(a, b)
        && Fused.Records(y, x, a, b);

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
        return LowRankOperator.Reference(y.Widened(), x.Widened(), a, b, scale).to_type(y.dtype).MoveToOuterDisposeScope();
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
        Tensor base16 = y.contiguous(),
            map = inner.t().mm(b.t()),
            result = empty_like(base16);
        RoundingPass.Add(
            TensorMemory.Address<BFloat16>(base16),
            TensorMemory.Address<float>(map),
            TensorMemory.Address<BFloat16>(result),
            result.numel()
        );
        return result.MoveToOuterDisposeScope();
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
        // As there, both small products lie as [r,rows].
        var outer = ofInput || ofA ? TransposedProduct.Right(b.t(), g).mul_(scale) : null;
        return Fused.Gradients(
            grad_output,
            grad_output.alias(),
            ofInput ? outer!.t().mm(a).to_type(x.dtype).view(x.shape) : null,
            ofA ? outer!.mm(Rows(x)) : null,
            ofB ? inner.mm(g).t().contiguous() : null,
            null
        );
    }

    private static Tensor Rows(Tensor x) => x.reshape(-1, x.size(-1)).Widened();
}
