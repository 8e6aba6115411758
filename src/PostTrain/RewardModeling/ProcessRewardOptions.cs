using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.RewardModeling;

/// <summary>Options of process reward models on judged steps. <see cref="TrainingOptions.BatchSize"/> and
/// <see cref="TrainingOptions.MicroBatchSize"/> count solutions.</summary>
public sealed record ProcessRewardOptions : TrainingOptions
{
    /// <summary>Layout of the solutions and places of their labels. Without a maximum length, a solution that does not fit the
    /// model's context is refused.</summary>
    /// <value>The default ends each step with a line feed.</value>
    public StepEncodingOptions Encoding { get; init; } = new();

    /// <summary>Aggregation of the steps' losses; a step counts as a token.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>: the mean over steps.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Encoding);
        ArgumentNullException.ThrowIfNull(Aggregation);
        Encoding.Check();
    }
}
