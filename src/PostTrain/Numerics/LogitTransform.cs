using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>The transform between output projection and softmax: z = c·tanh(s·x/c)/τ with scale s, soft cap c and temperature τ.</summary>
/// <remarks>
/// In the models' order: Cohere's logit scale, Gemma 2's final soft cap (arXiv:2408.00118, section 2), then the sampling temperature.
/// Without a soft cap z = s·x/τ.
/// </remarks>
public sealed record LogitTransform
{
    /// <summary>The identity.</summary>
    public static LogitTransform None { get; } = new();

    /// <summary>s, above 0. The default is 1.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>c, above 0: the largest magnitude of a logit. The default is null: no cap.</summary>
    public double? SoftCap { get; init; }

    /// <summary>τ, from 1e-6 to 1e6. The default is 1.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Applies the transform; returns a fresh differentiable tensor of the same shape.</summary>
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

    /// <summary>Computes the gradient with respect to the original logits from that after the transform. Its tensors belong to the caller's
    /// scope.</summary>
    internal Tensor Backward(Tensor gradient, Tensor logits)
    {
        var scaled = gradient * (Scale / Temperature);
        return SoftCap is { } cap ? scaled * (1 - Capped(logits, cap).square()) : scaled;
    }

    private Tensor Capped(Tensor logits, double cap) => logits.mul(Scale / cap).tanh();
}
