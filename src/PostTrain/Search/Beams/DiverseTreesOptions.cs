using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of diverse verifier tree search.</summary>
public sealed record DiverseTreesOptions
{
    /// <summary>N, the branches of a round, a multiple of <see cref="Width"/>: N / M trees. Default 16.</summary>
    public int Branches { get; init; } = 16;

    /// <summary>M, the steps that a tree draws in a round, of which it keeps the best. At least 1. Default 4.</summary>
    public int Width { get; init; } = 4;

    /// <summary>The most rounds, at least 1; in the last one every branch is written to its end. Default 40.</summary>
    public int Rounds { get; init; } = 40;

    /// <summary>Greedy steps that are written behind each branch before it is scored, at least 0. Default 0.</summary>
    public int LookAhead { get; init; }

    /// <summary>Returns true if a tree has its answer and ends, in addition to complete solutions. Null, the default: only those.</summary>
    /// <remarks>search-and-learn ends a tree whose text holds <c>boxed{</c>.</remarks>
    public Func<PartialSolution, bool>? IsAnswered { get; init; }

    /// <summary>The aggregation of step scores to the score of a branch. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    /// <summary>The choice of the solution. Default <see cref="SolutionChoice.Best"/>.</summary>
    public SolutionChoice Choice { get; init; } = SolutionChoice.Best;

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
