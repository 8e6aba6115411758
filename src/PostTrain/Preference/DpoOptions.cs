using PostTrain.Numerics;
using PostTrain.Preference.Batches;
using PostTrain.Preference.Losses;

namespace PostTrain.Preference;

/// <summary>Options of direct preference optimisation and its family.</summary>
public sealed record DpoOptions : ReferenceOptions
{
    /// <inheritdoc cref="DpoObjective.Beta"/>
    public double Beta { get; init; } = 0.1;

    /// <inheritdoc cref="DpoObjective.Loss"/>
    public DpoLoss Loss { get; init; } = MarginLoss.Sigmoid();

    /// <inheritdoc cref="DpoObjective.Divergence"/>
    public FDivergence Divergence { get; init; } = FDivergence.ReverseKl;

    /// <inheritdoc cref="DpoObjective.PositivePenalty"/>
    public double PositivePenalty { get; init; }

    /// <inheritdoc cref="DpoObjective.ReferenceFree"/>
    public bool ReferenceFree { get; init; }

    /// <summary>α of LD-DPO (arXiv:2409.06411), 0 to 1: the weight of tokens beyond the shorter completion's length.</summary>
    /// <value>The default is 1: all tokens weigh the same.</value>
    public double TailWeight { get; init; } = 1;

    /// <summary>Weighs each pair by how likely the policy itself is to write it, as WPO (arXiv:2406.11827) does: see
    /// <see cref="PreferenceWeights.Wpo(PairScores)"/>.</summary>
    /// <value>The default is false.</value>
    public bool PolicyWeights { get; init; }

    /// <summary>The loss that the options name.</summary>
    internal DpoObjective Objective =>
        new()
        {
            Beta = Beta,
            Loss = Loss,
            Divergence = Divergence,
            PositivePenalty = PositivePenalty,
            ReferenceFree = ReferenceFree,
        };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Objective.Validate();
        Objective.CheckParts(MicroBatchSize ?? RankCut, CutBy ?? nameof(MicroBatchSize));
        Guard.Fraction(TailWeight, nameof(TailWeight));
    }
}
