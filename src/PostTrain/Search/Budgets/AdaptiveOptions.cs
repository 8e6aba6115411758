using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of sampling until it is enough.</summary>
public sealed record AdaptiveOptions
{
    /// <summary>The most samples, at least 1. Default 40.</summary>
    public int Most { get; init; } = 40;

    /// <summary>Samples that are drawn together between two looks at the rule, at least 1. Default 1.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Rule by which drawing ends. Default <see cref="StopRule.Posterior"/> at 0.95.</summary>
    public StopRule Stop { get; init; } = StopRule.Posterior();

    /// <summary>The aggregation of step scores to the score of a solution. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    /// <summary>The choice of the solution. Default <see cref="SolutionChoice.Majority"/>.</summary>
    public SolutionChoice Choice { get; init; } = SolutionChoice.Majority;

    internal void Validate()
    {
        Guard.AtLeast(Most, 1, nameof(Most));
        Guard.AtLeast(Batch, 1, nameof(Batch));
        ArgumentNullException.ThrowIfNull(Stop);
        ArgumentNullException.ThrowIfNull(Aggregation);
        ArgumentNullException.ThrowIfNull(Choice);
    }
}
