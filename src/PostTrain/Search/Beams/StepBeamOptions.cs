using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of beam search over steps.</summary>
public sealed record StepBeamOptions
{
    /// <summary>N, the branches of a round, a multiple of <see cref="Width"/>. Default 16.</summary>
    public int Branches { get; init; } = 16;

    /// <summary>M, the branches that go on from one that was kept: N / M are kept. At least 1. Default 4.</summary>
    public int Width { get; init; } = 4;

    /// <summary>The most rounds, at least 1; in the last one every branch is written to its end. Default 40.</summary>
    public int Rounds { get; init; } = 40;

    /// <summary>Greedy steps that are written behind each branch before it is scored, at least 0. Default 0.</summary>
    public int LookAhead { get; init; }

    /// <summary>True to score the text with its look-ahead; false to score the branch alone, as in search-and-learn. Default
    /// true.</summary>
    public bool ScoresLookAhead { get; init; } = true;

    /// <summary>True to continue branches of equal text only once. Default false.</summary>
    public bool DropsDuplicates { get; init; }

    /// <summary>True to return the best N complete solutions, not the first N. Default true; search-and-learn's is false.</summary>
    public bool SortsCompleted { get; init; } = true;

    /// <summary>The aggregation of step scores to the score of a branch. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    /// <summary>The choice of the solution. Default <see cref="SolutionChoice.Best"/>.</summary>
    public SolutionChoice Choice { get; init; } = SolutionChoice.Best;

    /// <summary>The choice of the branches that continue; null, the default, keeps the best scores, among equal ones the later.</summary>
    public BranchSelection? Selection { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Width, 1, nameof(Width));
        if (Branches < 1 || Branches % Width != 0)
            throw new ArgumentOutOfRangeException(nameof(Branches), Branches, $"Branches must be a positive multiple of Width, {Width}");
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        Guard.AtLeast(LookAhead, 0, nameof(LookAhead));
        ArgumentNullException.ThrowIfNull(Aggregation);
        ArgumentNullException.ThrowIfNull(Choice);
    }
}
