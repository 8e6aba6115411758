using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Options of Monte-Carlo tree search.</summary>
public sealed record MonteCarloOptions
{
    /// <summary>Simulations of a <see cref="SearchMethod.MonteCarlo"/>, at least 1. Default 64.</summary>
    public int Simulations { get; init; } = 64;

    /// <summary>Simulations that run at once, so that their branches are decoded together, at least 1. Default 1. Those under way count as
    /// visits.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>The most steps that are drawn from a node, at least 1; equal ones make one branch. Default 4.</summary>
    public int Branches { get; init; } = 4;

    /// <summary>α of progressive widening, 0 to 1: a node of N visits has drawn at most ⌈k N^α⌉ steps (Couëtoux et al. 2011). Null, the
    /// default: no widening, all <see cref="Branches"/> are drawn first.</summary>
    public double? WideningExponent { get; init; }

    /// <summary>k of progressive widening, above 0. Default 1.</summary>
    public double WideningFactor { get; init; } = 1;

    /// <summary>The most steps of a node's solution, at least 1. Default 64.</summary>
    public int Depth { get; init; } = 64;

    /// <summary>The rule of a simulation's descent. Default <see cref="TreeSelection.Uct"/>.</summary>
    public TreeSelection Selection { get; init; } = TreeSelection.Uct();

    /// <summary>Default <see cref="TreeBackup.Mean"/>.</summary>
    public TreeBackup Backup { get; init; }

    /// <summary>Default <see cref="TreeEvaluation.Value"/>.</summary>
    public TreeEvaluation Evaluation { get; init; }

    /// <summary>True to evaluate a solution again at every visit, for noisy values. Default false: once.</summary>
    public bool Revalues { get; init; }

    /// <summary>The aggregation of step scores to a value. Default <see cref="ScoreAggregation.Last"/>.</summary>
    public ScoreAggregation Aggregation { get; init; } = ScoreAggregation.Last;

    internal void Validate()
    {
        Guard.AtLeast(Simulations, 1, nameof(Simulations));
        Guard.AtLeast(Batch, 1, nameof(Batch));
        Guard.AtLeast(Branches, 1, nameof(Branches));
        if (WideningExponent is { } exponent)
            Guard.Fraction(exponent, nameof(WideningExponent));
        Guard.Positive(WideningFactor, nameof(WideningFactor));
        Guard.AtLeast(Depth, 1, nameof(Depth));
        ArgumentNullException.ThrowIfNull(Selection);
        ArgumentNullException.ThrowIfNull(Aggregation);
        if (!Enum.IsDefined(Backup))
            throw new ArgumentOutOfRangeException(nameof(Backup), Backup, "Backup must be Mean or Maximum");
        if (!Enum.IsDefined(Evaluation))
            throw new ArgumentOutOfRangeException(nameof(Evaluation), Evaluation, "Evaluation must be Value, Rollout or Descend");
    }

    // Steps that a node of so many visits may have drawn.
    internal int Allowed(int visits) =>
        WideningExponent is { } exponent
            ? (int)Math.Clamp(Math.Ceiling(WideningFactor * Math.Pow(visits, exponent)), 1, Branches)
            : Branches;
}
