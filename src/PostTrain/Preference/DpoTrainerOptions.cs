using PostTrain.Numerics;

namespace PostTrain.Preference;

/// <summary>Options of direct preference optimisation and its family.</summary>
public sealed record DpoTrainerOptions : ReferenceTrainerOptions
{
    /// <summary>β, the loss of the scores and the divergence: which member of the family.</summary>
    /// <value>The default is DPO itself with β = 0.1.</value>
    public DpoOptions Objective { get; init; } = new();

    /// <summary>α of LD-DPO (arXiv:2409.06411), 0 to 1: the weight of tokens beyond the shorter completion's length.</summary>
    /// <value>The default is 1: all tokens weigh the same.</value>
    public double TailWeight { get; init; } = 1;

    /// <summary>Weighs each pair by how likely the policy itself is to write it, as WPO (arXiv:2406.11827) does: see
    /// <see cref="PreferenceWeights.Wpo(PairScores)"/>.</summary>
    /// <value>The default is false.</value>
    public bool PolicyWeights { get; init; }

    /// <inheritdoc/>
    internal override void Validate()
    {
        base.Validate();
        Objective.Validate();
        Objective.CheckParts(MicroBatchSize, nameof(MicroBatchSize));
        Guard.Fraction(TailWeight, nameof(TailWeight));
    }
}
