using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Recipes;

/// <summary>Options of the measurement of solve rates.</summary>
public sealed record SolveRateOptions
{
    /// <summary>Completions of each problem, at least 1.</summary>
    /// <value>The default is 64, as in Big-Math.</value>
    public int Draws { get; init; } = 64;

    /// <summary>Least reward of a solved problem.</summary>
    /// <value>The default is 0.5.</value>
    public double Threshold { get; init; } = 0.5;

    /// <summary>Options of the sampling.</summary>
    /// <value>The default is temperature 1.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Completions that are drawn at once, at least 1.</summary>
    /// <value>The default is 256.</value>
    public int BatchSize { get; init; } = 256;

    /// <summary>Seed of the sampling.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Draws, 1, nameof(Draws));
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
        ArgumentNullException.ThrowIfNull(Sampling);
        if (!double.IsFinite(Threshold))
            throw new ArgumentOutOfRangeException(nameof(Threshold), Threshold, "Threshold must be a finite number");
    }
}
