using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>The weight of an entropy bonus, fixed or adapted to keep the entropy above a target. Immutable: <see cref="Next"/> returns the
/// control of the next step.</summary>
/// <remarks>Adaptive: c ← c + δ if H ≤ target, otherwise c − δ, not below 0; used only in steps with H ≤ target (Skywork-OR1,
/// arXiv:2505.22312, section 4).</remarks>
public sealed record EntropyControl
{
    private EntropyControl() { }

    /// <summary>The current c.</summary>
    public double Coefficient { get; private init; }

    /// <summary>The target entropy, in nats per token; null for a fixed weight.</summary>
    public double? Target { get; private init; }

    /// <summary>δ, the change per step.</summary>
    public double Change { get; private init; }

    /// <summary>Creates a constant weight that is always used.</summary>
    public static EntropyControl Fixed(double coefficient)
    {
        Guard.NotNegative(coefficient, nameof(coefficient));
        return new EntropyControl { Coefficient = coefficient };
    }

    /// <summary>Creates a weight that follows the entropy.</summary>
    /// <param name="target">In nats per token, at least 0.</param>
    /// <param name="change">δ, above 0.</param>
    /// <param name="coefficient">The initial c, at least 0.</param>
    public static EntropyControl Adaptive(double target, double change, double coefficient = 0)
    {
        Guard.NotNegative(target, nameof(target));
        Guard.Positive(change, nameof(change));
        Guard.NotNegative(coefficient, nameof(coefficient));
        return new EntropyControl
        {
            Coefficient = coefficient,
            Target = target,
            Change = change,
        };
    }

    /// <summary>Returns the weight for a step with mean entropy <paramref name="entropy"/>.</summary>
    public double Weight(double entropy) => Target is { } target && !(entropy <= target) ? 0 : Coefficient;

    /// <summary>Returns the same control with another c, from a checkpoint.</summary>
    internal EntropyControl At(double coefficient) => this with { Coefficient = coefficient };

    /// <summary>Returns the control after a step with this mean entropy.</summary>
    public EntropyControl Next(double entropy) =>
        Target is not { } target ? this : this with { Coefficient = Math.Max(0, Coefficient + (entropy <= target ? Change : -Change)) };
}
