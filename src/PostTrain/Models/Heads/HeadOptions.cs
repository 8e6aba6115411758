using PostTrain.Numerics;

namespace PostTrain.Models.Heads;

/// <summary>How a fresh head starts.</summary>
public sealed record HeadOptions
{
    /// <summary>Weights start as N(0, this²); 0 starts them at zero, so that every score or value begins as 0.</summary>
    /// <value>The default is 0.02, transformers' usual initialiser range.</value>
    public double StandardDeviation { get; init; } = 0.02;

    /// <summary>Seed of the weights; the same seed gives the same weights on every machine and engine.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate() => Guard.NotNegative(StandardDeviation, nameof(StandardDeviation));
}
