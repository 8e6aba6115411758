using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>The nonlinearity of a feed-forward layer: a(x), a(x)·u, or a(left half)·right half of one tensor, a = SiLU or the tanh
/// approximation of GELU, in one pass forward and one backward; in bfloat16 computed in float32 and rounded once.</summary>
/// <remarks>Arguments: x, u or null, the <see cref="GateKind"/>. The graph keeps the inputs alone.</remarks>
internal sealed unsafe class GateOperator : autograd.SingleTensorFunction<GateOperator>
{
    public override string Name => nameof(GateOperator);

    /// <summary>True if <see cref="Run"/> takes these.</summary>
    internal static bool Takes(Tensor x, Tensor? u) => Fused.TakesLayer(x, u) && x.dim() > 0 && x.numel() > 0;

    /// <summary>a(x), [...,D], for one tensor; a(x)·u for two of one shape; [...,2 D] to [...,D] where the one tensor has both.</summary>
    internal static Tensor Run(Tensor x, Tensor? u, GateKind kind)
    {
        using var scope = NewDisposeScope();
        return (Fused.Records(x, u) ? apply(x, u!, kind) : Forward(x.contiguous(), u?.contiguous(), kind)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the same value by tensor operators.</summary>
    internal static Tensor Reference(Tensor x, Tensor? u, GateKind kind)
    {
        using var scope = NewDisposeScope();
        var gate = x.Widened();
        u = u?.Widened();
        if (kind.Joint)
        {
            var halves = gate.chunk(2, -1);
            (gate, u) = (halves[0], halves[1]);
        }
        var activated = kind.Gelu ? GeluTanh(gate) : gate.silu();
        return (u is null ? activated : activated * u).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))) = x σ(2√(2/π) (x + 0.044715 x³)): six operators instead of eight.</summary>
    internal static Tensor GeluTanh(Tensor x)
    {
        using var scope = NewDisposeScope();
        double linear = 2 * Math.Sqrt(2 / Math.PI);
        return (x * (x * (x.square() * (linear * 0.044715) + linear)).sigmoid()).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (x, u, kind) = ((Tensor)vars[0], (Tensor?)vars[1], (GateKind)vars[2]);
        ctx.set_materialize_grads(false);
        ctx.save_for_backward(u is null ? [x] : [x, u]);
        ctx.save_data("kind", kind);
        return Forward(x.contiguous(), u?.contiguous(), kind).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables();
        var kind = (GateKind)ctx.get_data("kind");
        var factor = saved.Count > 1 ? saved[1] : null;
        if (is_grad_enabled())
            return [.. Fused.WithGraph(grad_output, [saved[0], factor], own => Reference(own[0]!, own[1], kind)).Outward(), null!];
        Tensor x = saved[0].contiguous(),
            g = grad_output.contiguous();
        var u = factor?.contiguous();
        var dx = empty_like(x);
        var du = u is null ? null : empty_like(u);
        if (x.dtype == ScalarType.Float32)
            Backward<float, float>(x, u, g, dx, du, kind);
        else if (x.dtype == ScalarType.BFloat16)
            Backward<float, BFloat16>(x, u, g, dx, du, kind);
        else
            Backward<double, double>(x, u, g, dx, du, kind);
        return Fused.Gradients(grad_output, dx, du, null);
    }

    private static Tensor Forward(Tensor x, Tensor? u, GateKind kind)
    {
        Tensor y;
        if (kind.Joint)
        {
            var shape = x.shape;
            shape[^1] /= 2;
            y = empty(shape, dtype: x.dtype);
        }
        else
        {
            y = empty_like(x);
        }
        if (x.dtype == ScalarType.Float32)
            Forward<float, float>(x, u, y, kind);
        else if (x.dtype == ScalarType.BFloat16)
            Forward<float, BFloat16>(x, u, y, kind);
        else
            Forward<double, double>(x, u, y, kind);
        return y;
    }

    private static void Forward<T, S>(Tensor x, Tensor? u, Tensor y, GateKind kind)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var (width, step) = Sizes(x, kind);
        S* gate = TensorMemory.Address<S>(x),
            factor = Second(gate, u, width, kind);
        GateKernel.Forward<T, S>(gate, factor, step, TensorMemory.Address<S>(y), x.numel() / step, width, kind.Gelu);
    }

    private static void Backward<T, S>(Tensor x, Tensor? u, Tensor g, Tensor dx, Tensor? du, GateKind kind)
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        var (width, step) = Sizes(x, kind);
        S* gate = TensorMemory.Address<S>(x),
            to = TensorMemory.Address<S>(dx);
        GateKernel.Backward<T, S>(
            gate,
            Second(gate, u, width, kind),
            step,
            TensorMemory.Address<S>(g),
            to,
            Second(to, du, width, kind),
            x.numel() / step,
            width,
            kind.Gelu
        );
    }

    // Without halves all numbers are one row.
    private static (long Width, long Step) Sizes(Tensor x, GateKind kind) =>
        kind.Joint ? (x.size(-1) / 2, x.size(-1)) : (x.numel(), x.numel());

    private static S* Second<S>(S* first, Tensor? other, long width, GateKind kind)
        where S : unmanaged =>
        kind.Joint ? first + width
        : other is null ? null
        : TensorMemory.Address<S>(other);
}

/// <summary>Activation function and place of the factor.</summary>
/// <param name="Gelu">The tanh approximation of GELU, otherwise SiLU.</param>
/// <param name="Joint">Gate and factor are the halves of one tensor.</param>
internal readonly record struct GateKind(bool Gelu, bool Joint);
