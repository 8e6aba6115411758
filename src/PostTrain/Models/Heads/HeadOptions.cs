using PostTrain.Numerics;

namespace PostTrain.Models.Heads;

/// <summary>Initialisation of a new head.</summary>
public sealed record HeadOptions
{
    /// <summary>Standard deviation σ of the weights, N(0, σ²); with 0 all weights are zero, so that every score or value is 0 at the
    /// start.</summary>
    /// <value>The default is 0.02, transformers' usual initialiser range.</value>
    public double StandardDeviation { get; init; } = 0.02;

    /// <summary>Seed of the weights; the same seed gives the same weights on every machine and engine.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate() => Guard.NotNegative(StandardDeviation, nameof(StandardDeviation));
}
