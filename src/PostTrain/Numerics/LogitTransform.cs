using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>What stands between the output projection and the softmax: z = c·tanh(s·x/c)/τ with scale s, soft cap c and temperature
/// τ.</summary>
/// <remarks>
/// In this order, as the models do it: Cohere's logit scale, Gemma 2's final soft cap (arXiv:2408.00118, section 2), then the
/// temperature of sampling. Without a soft cap z = s·x/τ.
/// </remarks>
public sealed record LogitTransform
{
    /// <summary>Changes nothing.</summary>
    public static LogitTransform None { get; } = new();

    /// <summary>s, above 0. The default is 1.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>c, above 0: the largest magnitude that a logit may have. The default is null: no cap.</summary>
    public double? SoftCap { get; init; }

    /// <summary>τ, from 1e-6 to 1e6. The default is 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>The transformed logits, in a fresh tensor of the same shape; differentiable.</summary>
    /// <param name="logits">Any shape, floating point.</param>
    /// <exception cref="ArgumentOutOfRangeException">A property is out of range.</exception>
    public Tensor Apply(Tensor logits)
    {
        Guard.Floating(logits, nameof(logits));
        Check();
        using var scope = NewDisposeScope();
        return (
            SoftCap is { } cap ? Capped(logits, cap).mul(cap / Temperature) : logits.mul(Scale / Temperature)
        ).MoveToOuterDisposeScope();
    }

    internal void Check()
    {
        Guard.Positive(Scale, nameof(Scale));
        if (SoftCap is { } cap)
            Guard.Positive(cap, nameof(SoftCap));
        Guard.Temperature(Temperature, nameof(Temperature));
    }

    /// <summary>The gradient with respect to the logits before, given that after the transform. Its tensors belong to the caller's
    /// scope.</summary>
    internal Tensor Backward(Tensor gradient, Tensor logits)
    {
        var scaled = gradient * (Scale / Temperature);
        return SoftCap is { } cap ? scaled * (1 - Capped(logits, cap).square()) : scaled;
    }

    private Tensor Capped(Tensor logits, double cap) => logits.mul(Scale / cap).tanh();
}
