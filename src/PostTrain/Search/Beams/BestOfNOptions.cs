using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of best of N.</summary>
public sealed record BestOfNOptions
{
    /// <summary>N, at least 1. Default 16.</summary>
    public int Samples { get; init; } = 16;

    /// <summary>The aggregation of step scores to the score of a solution. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    /// <summary>The choice of the solution. Default <see cref="SolutionChoice.Best"/>.</summary>
    public SolutionChoice Choice { get; init; } = SolutionChoice.Best;

    internal void Validate()
    {
        Guard.AtLeast(Samples, 1, nameof(Samples));
        ArgumentNullException.ThrowIfNull(Aggregation);
        ArgumentNullException.ThrowIfNull(Choice);
    }
}
