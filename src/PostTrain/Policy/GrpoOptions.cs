using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Training;

namespace PostTrain.Policy;

/// <summary>Options of group-relative policy optimisation (DeepSeekMath, arXiv:2402.03300) and its relatives.</summary>
/// <remarks><see cref="TrainingOptions.BatchSize"/> counts prompts; a step samples <see cref="GroupSize"/> completions of each.</remarks>
public sealed record GrpoOptions : TrainingOptions
{
    /// <summary>Completions of a prompt that are compared with each other; at least 2.</summary>
    /// <value>The default is 8.</value>
    public int GroupSize { get; init; } = 8;

    /// <summary>Optimiser steps on each batch of completions (μ in the paper).</summary>
    /// <value>The default is 1: purely on-policy.</value>
    public int UpdatesPerBatch { get; init; } = 1;

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

    /// <summary>How completions are drawn.</summary>
    /// <value>The default is temperature 1 and at most 64 tokens.</value>
    public SamplingOptions Sampling { get; init; } = new();

    /// <inheritdoc/>
    internal override void Validate()
    {
        base.Validate();
        Guard.AtLeast(GroupSize, 2, nameof(GroupSize));
        Guard.AtLeast(UpdatesPerBatch, 1, nameof(UpdatesPerBatch));
        Guard.NotNegative(Beta, nameof(Beta));
        Clip.Check(nameof(Clip));
        if (!(Sampling.Temperature > 0))
            throw new ArgumentOutOfRangeException(nameof(Sampling), Sampling.Temperature, "Sampling.Temperature must be above 0: greedy completions of a prompt are all the same");
    }
}
