using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.Policy;

/// <summary>Options of group-relative policy optimisation (DeepSeekMath, arXiv:2402.03300) and its relatives; a group has at least 2 completions.</summary>
public sealed record GrpoOptions : RolloutOptions
{
    /// <summary>How far the ratio may move; has an effect from the second update on a batch on.</summary>
    /// <value>The default is 0.2.</value>
    public ClipRange Clip { get; init; } = 0.2;

    /// <summary>What the centred rewards are divided by.</summary>
    /// <value>The default is <see cref="GroupScaling.Group"/>.</value>
    public GroupScaling Scaling { get; init; } = GroupScaling.Group;

    /// <summary>How the tokens' losses become one number.</summary>
    /// <value>The default is <see cref="LossAggregation.SequenceMean"/>, as in the paper.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.SequenceMean;

    /// <summary>Weight β of the KL divergence from the reference in the loss, at least 0. With a reference and 0 the divergence is only reported.</summary>
    /// <value>The default is 0.</value>
    public double Beta { get; init; }

    /// <summary>How that divergence is estimated.</summary>
    /// <value>The default is <see cref="KlEstimator.K3"/>.</value>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;

    /// <inheritdoc/>
    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(GroupSize, 2, nameof(GroupSize));
        Guard.NotNegative(Beta, nameof(Beta));
        Clip.Check(nameof(Clip));
    }
}
