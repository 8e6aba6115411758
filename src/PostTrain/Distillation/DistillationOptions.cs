using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.Distillation;

/// <summary>Options of distillation on given completions.</summary>
public sealed record DistillationOptions : TrainingOptions
{
    /// <inheritdoc cref="DistillationObjective.Divergence"/>
    public Divergence Divergence { get; init; } = Divergence.ForwardKl;

    /// <inheritdoc cref="DistillationObjective.Temperature"/>
    public double Temperature { get; init; } = 1;

    /// <inheritdoc cref="DistillationObjective.ScaleByTemperatureSquared"/>
    public bool ScaleByTemperatureSquared { get; init; } = true;

    /// <inheritdoc cref="DistillationObjective.Support"/>
    public DistillationSupport Support { get; init; } = DistillationSupport.Full;

    /// <summary>α of α·CE + (1−α)·KD, 0 to 1: the weight of the given completions themselves.</summary>
    /// <value>The default is 0: the teacher alone.</value>
    public double LabelWeight { get; init; }

    /// <summary>Aggregation of the tokens' losses.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <summary>Ends each completion that has no end yet with the tokenizer's end-of-sequence token, so that the student learns where the
    /// teacher stops.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <summary>The loss that the options name.</summary>
    internal DistillationObjective Objective =>
        new()
        {
            Divergence = Divergence,
            Temperature = Temperature,
            ScaleByTemperatureSquared = ScaleByTemperatureSquared,
            Support = Support,
        };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Aggregation);
        Objective.Check();
        Guard.Fraction(LabelWeight, nameof(LabelWeight));
    }
}
