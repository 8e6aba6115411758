using PostTrain.Numerics;

namespace PostTrain.Policy.Losses;

/// <summary>Shapes of VESPO's weight φ(W) = e^λ·W^k·e^(−λW), which is 1 at W = 1 and goes to 0 at both ends.</summary>
public sealed record VespoOptions
{
    /// <summary>k for advantages of at least 0; above 0.</summary>
    /// <value>The default is 2.</value>
    public double PositiveShape { get; init; } = 2;

    /// <summary>λ for advantages of at least 0; above 0.</summary>
    /// <value>The default is 3.</value>
    public double PositiveRate { get; init; } = 3;

    /// <summary>k for negative advantages; above 0.</summary>
    /// <value>The default is 3.</value>
    public double NegativeShape { get; init; } = 3;

    /// <summary>λ for negative advantages; above 0.</summary>
    /// <value>The default is 2.</value>
    public double NegativeRate { get; init; } = 2;

    internal void Validate()
    {
        Guard.Positive(PositiveShape, nameof(PositiveShape));
        Guard.Positive(PositiveRate, nameof(PositiveRate));
        Guard.Positive(NegativeShape, nameof(NegativeShape));
        Guard.Positive(NegativeRate, nameof(NegativeRate));
    }
}
