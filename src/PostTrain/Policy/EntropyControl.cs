using PostTrain.Numerics;

namespace PostTrain.Policy;

/// <summary>The weight of an entropy bonus, fixed or adapted to keep the entropy above a target. Immutable: <see cref="Next"/> returns the
/// control of the next step.</summary>
/// <remarks>Adaptive: c ← c + δ if H ≤ target, otherwise c − δ, within <see cref="Minimum"/> and <see cref="Maximum"/>; used only in steps
/// with H ≤ target (Skywork-OR1, arXiv:2505.22312, section 4).</remarks>
public sealed record EntropyControl
{
    private EntropyControl() { }

    /// <summary>The current c.</summary>
    public double Coefficient { get; private init; }

    /// <summary>The target entropy, in nats per token; null for a fixed weight.</summary>
    public double? Target { get; private init; }

    /// <summary>δ, the change per step.</summary>
    public double Change { get; private init; }

    /// <summary>Least c, at least 0.</summary>
    /// <value>The default is 0.</value>
    public double Minimum { get; init; }

    /// <summary>Greatest c, at least <see cref="Minimum"/>.</summary>
    /// <value>The default is positive infinity.</value>
    public double Maximum { get; init; } = double.PositiveInfinity;

    /// <summary>True to decide by the entropy of the step before, as TRL does: a step then needs no pass of its own for it. The first step
    /// has no bonus.</summary>
    /// <value>The default is false: by the entropy of the step's own batch.</value>
    public bool Lagged { get; init; }

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

    internal void Validate()
    {
        Guard.NotNegative(Minimum, $"Entropy.{nameof(Minimum)}");
        if (!(Maximum >= Minimum))
            throw new ArgumentOutOfRangeException(nameof(Maximum), Maximum, $"Entropy.Maximum must be at least Minimum, {Minimum}");
        if (Coefficient < Minimum || Coefficient > Maximum)
            throw new ArgumentOutOfRangeException(
                nameof(Coefficient),
                Coefficient,
                $"Entropy.Coefficient must be between Minimum and Maximum, {Minimum} to {Maximum}"
            );
    }

    /// <summary>Returns the same control with another c, from a checkpoint.</summary>
    internal EntropyControl At(double coefficient) => this with { Coefficient = coefficient };

    /// <summary>Returns the control after a step with this mean entropy.</summary>
    public EntropyControl Next(double entropy) =>
        Target is not { } target
            ? this
            : this with
            {
                Coefficient = Math.Clamp(Coefficient + (entropy <= target ? Change : -Change), Minimum, Maximum),
            };
}
