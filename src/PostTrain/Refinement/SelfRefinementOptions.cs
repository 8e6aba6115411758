using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>Options of <see cref="SelfRefinement"/>.</summary>
public sealed record SelfRefinementOptions
{
    /// <summary>Maximum number of rounds of revision, K, at least 0.</summary>
    /// <value>The default is 3.</value>
    public int Rounds { get; init; } = 3;

    /// <summary>The rule that selects the text after a revision.</summary>
    /// <value>The default is <see cref="RefinementRule.TakeRevision"/>.</value>
    public RefinementRule Rule { get; init; } = RefinementRule.TakeRevision;

    /// <summary>Reward for correctness, above ½, used only for the tables of transitions; refiner and feedback do not see it. Null for no
    /// tables.</summary>
    /// <value>The default is null.</value>
    public IReward? Gold { get; init; }

    internal void Validate()
    {
        Guard.AtLeast(Rounds, 0, nameof(Rounds));
        if (!Enum.IsDefined(Rule))
            throw new ArgumentOutOfRangeException(nameof(Rule), Rule, "Rule must be TakeRevision or KeepBetter");
    }
}
