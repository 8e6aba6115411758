using PostTrain.Data;
using PostTrain.RewardModeling.Losses;
using PostTrain.Training;

namespace PostTrain.RewardModeling;

/// <summary>Options of reward models on preference pairs. <see cref="TrainingOptions.BatchSize"/> and
/// <see cref="TrainingOptions.MicroBatchSize"/> count pairs.</summary>
public sealed record RewardOptions : TrainingOptions
{
    /// <inheritdoc cref="BradleyTerryObjective.CenteringCoefficient"/>
    public double CenteringCoefficient { get; init; }

    /// <inheritdoc cref="BradleyTerryObjective.LabelSmoothing"/>
    public double LabelSmoothing { get; init; }

    /// <summary>μ of a pair: by how much the chosen reward is to exceed the rejected one, a finite number (Llama 2, arXiv:2307.09288,
    /// section 3.2.2). Asked once a pair.</summary>
    /// <value>The default is null: no margin.</value>
    public Func<PreferencePair, double>? Margin { get; init; }

    /// <summary>Ends each completion that has no end yet with the tokenizer's end-of-sequence token, on which the reward is then
    /// read.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <summary>The loss that the options name.</summary>
    internal BradleyTerryObjective Objective => new() { CenteringCoefficient = CenteringCoefficient, LabelSmoothing = LabelSmoothing };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Objective.Check();
    }
}
