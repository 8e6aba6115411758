using PostTrain.Numerics;

namespace PostTrain.Training;

/// <summary>Options of <see cref="BemaAverage"/>. The defaults are TRL's.</summary>
public sealed record BemaOptions
{
    /// <summary>Updates between two changes of the average, at least 1.</summary>
    /// <value>The default is 400.</value>
    public int Every { get; init; } = 400;

    /// <summary>Updates before averaging starts, from the weights at that point; at least 0.</summary>
    /// <value>The default is 0.</value>
    public int After { get; init; }

    /// <summary>κ, at least 0: the new weights count (lag + multiplier·t)^−κ.</summary>
    /// <value>The default is 0.5.</value>
    public double EmaPower { get; init; } = 0.5;

    /// <summary>η, at least 0: the change since the start counts (lag + multiplier·t)^−η.</summary>
    /// <value>The default is 0.2.</value>
    public double BiasPower { get; init; } = 0.2;

    /// <summary>ρ, above 0.</summary>
    /// <value>The default is 10.</value>
    public double Lag { get; init; } = 10;

    /// <summary>γ, at least 0.</summary>
    /// <value>The default is 1.</value>
    public double Multiplier { get; init; } = 1;

    /// <summary>Least weight of the new weights, 0 to 1.</summary>
    /// <value>The default is 0.</value>
    public double MinimumWeight { get; init; }

    internal void Check()
    {
        Guard.AtLeast(Every, 1, nameof(Every));
        Guard.AtLeast(After, 0, nameof(After));
        Guard.NotNegative(EmaPower, nameof(EmaPower));
        Guard.NotNegative(BiasPower, nameof(BiasPower));
        Guard.Positive(Lag, nameof(Lag));
        Guard.NotNegative(Multiplier, nameof(Multiplier));
        Guard.Fraction(MinimumWeight, nameof(MinimumWeight));
    }
}
