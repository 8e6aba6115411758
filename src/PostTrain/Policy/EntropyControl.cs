using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>The weight of an entropy bonus, fixed or adapted so that the entropy does not fall below a target. Immutable:
/// <see cref="Next"/> gives the control of the next step.</summary>
/// <remarks>Adaptive: c ← c + δ where H ≤ target, else c − δ, not below 0; used only in steps with H ≤ target (Skywork-OR1,
/// arXiv:2505.22312, section 4).</remarks>
public sealed record EntropyControl
{
    private EntropyControl() { }

    /// <summary>c now.</summary>
    public double Coefficient { get; private init; }

    /// <summary>The entropy to keep, in nats a token; null for a fixed weight.</summary>
    public double? Target { get; private init; }

    /// <summary>δ, what a step changes.</summary>
    public double Change { get; private init; }

    /// <summary>c stays what it is and is always used.</summary>
    public static EntropyControl Fixed(double coefficient)
    {
        Guard.NotNegative(coefficient, nameof(coefficient));
        return new EntropyControl { Coefficient = coefficient };
    }

    /// <summary>c follows the entropy.</summary>
    /// <param name="target">In nats a token, at least 0.</param>
    /// <param name="change">δ, above 0.</param>
    /// <param name="coefficient">The first c, at least 0.</param>
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

    /// <summary>The weight to use in a step whose mean entropy is <paramref name="entropy"/>.</summary>
    public double Weight(double entropy) => Target is { } target && !(entropy <= target) ? 0 : Coefficient;

    /// <summary>The same control with another c, as a checkpoint gives it.</summary>
    internal EntropyControl At(double coefficient) => this with { Coefficient = coefficient };

    /// <summary>The control after that step.</summary>
    public EntropyControl Next(double entropy) =>
        Target is not { } target ? this : this with { Coefficient = Math.Max(0, Coefficient + (entropy <= target ? Change : -Change)) };
}
