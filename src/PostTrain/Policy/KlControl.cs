using PostTrain.Numerics;
using PostTrain.Policy.Losses;

namespace PostTrain.Policy;

/// <summary>The weight β of a KL penalty and how it follows the measured divergence. Immutable: <see cref="Next"/> gives the control of the
/// next step.</summary>
public abstract record KlControl
{
    private KlControl(double coefficient)
    {
        Guard.NotNegative(coefficient, nameof(coefficient));
        Coefficient = coefficient;
    }

    /// <summary>β now.</summary>
    public double Coefficient { get; private init; }

    /// <summary>β stays what it is.</summary>
    public static KlControl Fixed(double coefficient) => new FixedControl(coefficient);

    /// <summary>β ← β·(1 + clip(KL/target − 1, ±0.2)·n/horizon) after each n samples.</summary>
    /// <remarks>Ziegler et al. 2019, arXiv:1909.08593, section 2.2.</remarks>
    /// <param name="coefficient">The first β, at least 0.</param>
    /// <param name="target">The divergence to keep, in nats a sequence, above 0; 6 in the paper.</param>
    /// <param name="horizon">Samples over which a deviation has its full effect, above 0; 10 000 by default.</param>
    public static KlControl Adaptive(double coefficient, double target, double horizon = 10_000)
    {
        Guard.Positive(target, nameof(target));
        Guard.Positive(horizon, nameof(horizon));
        return new AdaptiveControl(coefficient, target, horizon);
    }

    /// <summary>A control of one's own.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="coefficient">The first β, at least 0.</param>
    /// <param name="function">What β is multiplied with after a step, at least 0, from the measured divergence and the number of
    /// completions.</param>
    public static KlControl Of(string name, double coefficient, Func<double, long, double> function)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(function);
        return new OwnControl(name, coefficient, function);
    }

    /// <summary>The control after a step on <paramref name="samples"/> completions whose measured divergence was
    /// <paramref name="kl"/>.</summary>
    /// <param name="kl">In the unit of the target; a NaN is refused.</param>
    /// <param name="samples">At least 0.</param>
    public KlControl Next(double kl, long samples)
    {
        if (double.IsNaN(kl))
            throw new ArgumentOutOfRangeException(nameof(kl), kl, "kl must be a number");
        Guard.AtLeast(samples, 0, nameof(samples));
        return this with { Coefficient = Coefficient * Factor(kl, samples) };
    }

    /// <summary>The same control with another β, as a checkpoint gives it.</summary>
    internal KlControl At(double coefficient) => this with { Coefficient = coefficient };

    /// <summary>Whether the epochs on a batch should end: the divergence from the sampling policy is above
    /// <paramref name="slack"/>·<paramref name="target"/>.</summary>
    /// <remarks>Spinning Up's PPO stops at 1.5 times the target. A NaN stops.</remarks>
    /// <param name="oldKl">For example <see cref="PolicyLoss.OldKl"/>.</param>
    /// <param name="target">Above 0.</param>
    /// <param name="slack">Above 0; 1.5 by default.</param>
    public static bool ShouldStop(double oldKl, double target, double slack = 1.5)
    {
        Guard.Positive(target, nameof(target));
        Guard.Positive(slack, nameof(slack));
        return !(oldKl <= slack * target);
    }

    private protected abstract double Factor(double kl, long samples);

    private sealed record OwnControl(string Name, double Start, Func<double, long, double> Function) : KlControl(Start)
    {
        private protected override double Factor(double kl, long samples) =>
            Function(kl, samples) is var factor && factor >= 0 && double.IsFinite(factor)
                ? factor
                : throw new InvalidOperationException($"the control '{Name}' returned {factor}, expected a finite number of at least 0");

        public override string ToString() => Name;
    }

    private sealed record FixedControl(double Start) : KlControl(Start)
    {
        private protected override double Factor(double kl, long samples) => 1;
    }

    private sealed record AdaptiveControl(double Start, double Target, double Horizon) : KlControl(Start)
    {
        private protected override double Factor(double kl, long samples) => 1 + Math.Clamp(kl / Target - 1, -0.2, 0.2) * samples / Horizon;
    }
}
