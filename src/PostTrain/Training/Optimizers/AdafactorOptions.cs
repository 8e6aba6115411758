using PostTrain.Numerics;

namespace PostTrain.Training.Optimizers;

/// <summary>Options of Adafactor (Shazeer and Stern 2018, arXiv:1804.04235), with the defaults for a given learning rate.</summary>
public sealed record AdafactorOptions
{
    /// <summary>ε₁, added to the squared gradient; at least 0.</summary>
    /// <value>The default is 1e-30.</value>
    public double SquareEpsilon { get; init; } = 1e-30;

    /// <summary>ε₂, the minimum root mean square of a parameter for <see cref="ScaleByParameter"/>; at least 0.</summary>
    /// <value>The default is 1e-3.</value>
    public double ScaleEpsilon { get; init; } = 1e-3;

    /// <summary>d, the maximum root mean square of an update; above 0.</summary>
    /// <value>The default is 1.</value>
    public double ClipThreshold { get; init; } = 1;

    /// <summary>γ in β₂ = 1 − t^γ, the decay of the mean square at update t; below 0.</summary>
    /// <value>The default is −0.8.</value>
    public double DecayRate { get; init; } = -0.8;

    /// <summary>β₁ in [0, 1), the decay of the mean of updates; null for no such mean and no memory for it.</summary>
    /// <value>The default is null.</value>
    public double? Beta1 { get; init; }

    /// <summary>True to multiply the rate by the parameter's root mean square.</summary>
    /// <value>The default is false.</value>
    public bool ScaleByParameter { get; init; }

    /// <summary>True for a rate of min(10⁻², 1/√t) at update t instead of the training options' rate, schedule and factors.</summary>
    /// <value>The default is false.</value>
    public bool RelativeStep { get; init; }

    /// <summary>True for min(10⁻⁶t, 1/√t) with <see cref="RelativeStep"/>.</summary>
    /// <value>The default is false.</value>
    public bool RelativeWarmup { get; init; }

    internal void Validate()
    {
        Guard.NotNegative(SquareEpsilon, nameof(SquareEpsilon));
        Guard.NotNegative(ScaleEpsilon, nameof(ScaleEpsilon));
        Guard.Positive(ClipThreshold, nameof(ClipThreshold));
        if (!(DecayRate < 0) || double.IsInfinity(DecayRate))
            throw new ArgumentOutOfRangeException(nameof(DecayRate), DecayRate, "DecayRate must be a finite number below 0");
        if (Beta1 is { } beta && !(beta is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(Beta1), beta, "Beta1 must be at least 0 and below 1");
        if (RelativeWarmup && !RelativeStep)
            throw new ArgumentException("RelativeWarmup is set, expected RelativeStep with it", nameof(RelativeWarmup));
    }
}
