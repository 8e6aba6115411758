using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of tree of thoughts.</summary>
public sealed record TreeOfThoughtsOptions
{
    /// <summary>Default <see cref="ThoughtOrder.BreadthFirst"/>.</summary>
    public ThoughtOrder Order { get; init; }

    /// <summary>Thoughts that are drawn from a state, at least 1. Default 5.</summary>
    public int Thoughts { get; init; } = 5;

    /// <summary>States that are kept of a level, breadth first, at least 1. Default 5.</summary>
    public int Breadth { get; init; } = 5;

    /// <summary>The most steps of a solution, at least 1. Default 10.</summary>
    public int Depth { get; init; } = 10;

    /// <summary>The most thoughts that are drawn in all, at least 1: the last round is cut to what is left. Default 100.</summary>
    public int Budget { get; init; } = 100;

    /// <summary>States with a lower score are given up. Default −∞: none.</summary>
    public double LeastScore { get; init; } = double.NegativeInfinity;

    /// <summary>A complete solution with at least this score ends the search. Default +∞: none does.</summary>
    public double EnoughScore { get; init; } = double.PositiveInfinity;

    /// <summary>The aggregation of step scores to the score of a state. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    /// <summary>The choice of the complete solution. Default <see cref="SolutionChoice.Best"/>.</summary>
    public SolutionChoice Choice { get; init; } = SolutionChoice.Best;

    internal void Validate()
    {
        if (!Enum.IsDefined(Order))
            throw new ArgumentOutOfRangeException(nameof(Order), Order, "Order must be BreadthFirst or DepthFirst");
        Guard.AtLeast(Thoughts, 1, nameof(Thoughts));
        Guard.AtLeast(Breadth, 1, nameof(Breadth));
        Guard.AtLeast(Depth, 1, nameof(Depth));
        Guard.AtLeast(Budget, 1, nameof(Budget));
        if (double.IsNaN(LeastScore))
            throw new ArgumentOutOfRangeException(nameof(LeastScore), LeastScore, "LeastScore must be a number");
        if (double.IsNaN(EnoughScore))
            throw new ArgumentOutOfRangeException(nameof(EnoughScore), EnoughScore, "EnoughScore must be a number");
        ArgumentNullException.ThrowIfNull(Aggregation);
        ArgumentNullException.ThrowIfNull(Choice);
    }
}
