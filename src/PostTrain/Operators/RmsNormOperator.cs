using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>RMS norm over the last dimension, x / √(mean(x²) + ε) · f with f = w or 1 + w, in one pass forward and one backward; in
/// bfloat16 computed in float32 and rounded once.</summary>
/// <remarks>Arguments: x, w, ε, whether the factor is 1 + w. The graph keeps x, w and one number a row.</remarks>
internal sealed unsafe class RmsNormOperator : autograd.SingleTensorFunction<RmsNormOperator>
{
    public override string Name => nameof(RmsNormOperator);

    /// <summary>True if <see cref="Run"/> takes these.</summary>
    internal static bool Takes(Tensor x, Tensor weight) => Fused.TakesLayer(x, weight) && x.dim() > 0 && x.numel() > 0;

    /// <summary>[...,D] to [...,D].</summary>
    internal static Tensor Run(Tensor x, Tensor weight, double epsilon, bool offset)
    {
        using var scope = NewDisposeScope();
        var result = Fused.Records(x, weight) ? apply(x, weight, epsilon, offset) : Forward(x.contiguous(), weight, epsilon, offset, null);
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Computes the same value by tensor operators.</summary>
    internal static Tensor Reference(Tensor x, Tensor weight, double epsilon, bool offset)
    {
        using var scope = NewDisposeScope();
        var (wide, factor) = (x.Widened(), weight.Widened());
        var normal = wide * wide.square().mean([-1], keepdim: true).add(epsilon).rsqrt();
        return normal.mul(offset ? factor.add(1) : factor).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (given, weight) = ((Tensor)vars[0], (Tensor)vars[1]);
        var (epsilon, offset) = ((double)vars[2], (bool)vars[3]);
        var x = given.contiguous();
        var scales = empty(x.numel() / x.size(-1), dtype: Fused.ComputeType(x.dtype));
        ctx.set_materialize_grads(false);
        ctx.save_for_backward([given, weight, scales.MoveToOuterDisposeScope()]);
        ctx.save_data("settings", (epsilon, offset, given.requires_grad, weight.requires_grad));
        return Forward(x, weight, epsilon, offset, scales).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var (epsilon, offset, ofInput, ofWeight) = ((double, bool, bool, bool))ctx.get_data("settings");
        if (is_grad_enabled())
            return
            [
                .. Fused.WithGraph(grad_output, [saved[0], saved[1]], own => Reference(own[0]!, own[1]!, epsilon, offset)).Outward(),
                null!,
                null!,
            ];
        Tensor x = saved[0].contiguous(),
            weight = saved[1].contiguous(),
            g = grad_output.contiguous();
        var dx = ofInput ? empty_like(x) : null;
        var dw = ofWeight ? TensorMemory.Fresh(weight, saved[2].dtype) : null;
        if (x.dtype == ScalarType.Float32)
            Backward<float, float>(x, weight, saved[2], g, dx, dw, offset);
        else if (x.dtype == ScalarType.BFloat16)
            Backward<float, BFloat16>(x, weight, saved[2], g, dx, dw, offset);
        else
            Backward<double, double>(x, weight, saved[2], g, dx, dw, offset);
        return Fused.Gradients(grad_output, dx, dw?.to_type(weight.dtype), null, null);
    }

    private static Tensor Forward(Tensor x, Tensor weight, double epsilon, bool offset, Tensor? scales)
    {
        var y = empty_like(x);
        var factor = weight.contiguous();
        if (x.dtype == ScalarType.Float32)
            Forward<float, float>(x, factor, y, scales, epsilon, offset);
        else if (x.dtype == ScalarType.BFloat16)
            Forward<float, BFloat16>(x, factor, y, scales, epsilon, offset);
        else
            Forward<double, double>(x, factor, y, scales, epsilon, offset);
        return y;
    }

    private static void Forward<T, S>(Tensor x, Tensor weight, Tensor y, Tensor? scales, double epsilon, bool offset)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var width = (int)x.size(-1);
        RmsNormKernel.Forward(
            TensorMemory.Address<S>(x),
            TensorMemory.Address<S>(weight),
            TensorMemory.Address<S>(y),
            scales is null ? null : TensorMemory.Address<T>(scales),
            x.numel() / width,
            width,
            epsilon,
            offset
        );
    }

    private static void Backward<T, S>(Tensor x, Tensor weight, Tensor scales, Tensor g, Tensor? dx, Tensor? dw, bool offset)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var width = (int)x.size(-1);
        RmsNormKernel.Backward(
            TensorMemory.Address<S>(x),
            TensorMemory.Address<S>(weight),
            TensorMemory.Address<T>(scales),
            TensorMemory.Address<S>(g),
            dx is null ? null : TensorMemory.Address<S>(dx),
            dw is null ? null : TensorMemory.Address<T>(dw),
            x.numel() / width,
            width,
            offset
        );
    }
}
