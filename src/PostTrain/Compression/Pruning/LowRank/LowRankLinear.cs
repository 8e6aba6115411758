using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>y = (x Aᵀ) Bᵀ + b: a linear layer of r(in + out) numbers.</summary>
internal sealed class LowRankLinear : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "factor_A")]
    private readonly Parameter a;

    [ComponentName(Name = "factor_B")]
    private readonly Parameter b;

    [ComponentName(Name = "bias")]
    private readonly Parameter? bias;

    /// <summary>A layer of copies of the factors.</summary>
    /// <param name="factors">A [r,in] and B [out,r].</param>
    /// <param name="bias">[out], copied; null for none.</param>
    /// <param name="type">Type of the parameters; null takes the factors'.</param>
    public LowRankLinear(LowRankFactors factors, Tensor? bias = null, ScalarType? type = null)
        : base(nameof(LowRankLinear))
    {
        ArgumentNullException.ThrowIfNull(factors);
        if (factors.A.dim() != 2 || factors.B.dim() != 2 || factors.A.size(0) != factors.B.size(1))
            throw new ArgumentException(
                $"factors are A {Guard.Shape(factors.A)}, B {Guard.Shape(factors.B)}, expected [r, in] and [out, r]",
                nameof(factors)
            );
        if (bias is not null && !bias.shape.SequenceEqual([factors.B.size(0)]))
            throw new ArgumentException($"bias has shape {Guard.Shape(bias)}, expected [{factors.B.size(0)}]", nameof(bias));
        var own = type ?? factors.A.dtype;
        (a, b) = (Own(factors.A, own), Own(factors.B, own));
        this.bias = bias is null ? null : Own(bias, own);
        RegisterComponents();
    }

    /// <summary>[r,in].</summary>
    public Parameter A => a;

    /// <summary>[out,r].</summary>
    public Parameter B => b;

    /// <summary>The bias, or null.</summary>
    public Parameter? Bias => bias;

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = NewDisposeScope();
        return nn.functional.linear(nn.functional.linear(input, a), b, bias).MoveToOuterDisposeScope();
    }

    private static Parameter Own(Tensor values, ScalarType type)
    {
        using var scope = NewDisposeScope();
        return (Parameter)new Parameter(values.detach().to(type, copy: true)).DetachFromDisposeScope();
    }
}
