using PostTrain.Numerics;
using PostTrain.Rollouts;

namespace PostTrain.Recipes;

/// <summary>Options of drawing and judging a policy's own completions in a recipe.</summary>
public sealed record DrawOptions
{
    /// <summary>Completions of each problem, at least 2.</summary>
    /// <value>The default is 8.</value>
    public int Draws { get; init; } = 8;

    /// <summary>Least reward of a completion that is trained on.</summary>
    /// <value>The default is 0.5.</value>
    public double Threshold { get; init; } = 0.5;

    /// <summary>Options of the sampling.</summary>
    /// <value>The default is temperature 1.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Completions that are drawn at once, at least 1; whole problems.</summary>
    /// <value>The default is 256.</value>
    public int BatchSize { get; init; } = 256;

    internal void Validate()
    {
        Guard.AtLeast(Draws, 2, nameof(Draws));
        Guard.AtLeast(BatchSize, 1, nameof(BatchSize));
        ArgumentNullException.ThrowIfNull(Sampling);
        if (!double.IsFinite(Threshold))
            throw new ArgumentOutOfRangeException(nameof(Threshold), Threshold, "Threshold must be a finite number");
    }
}
