using PostTrain.Data;
using PostTrain.Training;

namespace PostTrain.RewardModeling;

/// <summary>Options of reward models on preference pairs. <see cref="TrainingOptions.BatchSize"/> and
/// <see cref="TrainingOptions.MicroBatchSize"/> count pairs.</summary>
public sealed record RewardTrainerOptions : TrainingOptions
{
    /// <summary>Centring and label smoothing.</summary>
    /// <value>The default is plain Bradley-Terry.</value>
    public BradleyTerryOptions Objective { get; init; } = new();

    /// <summary>μ of a pair: by how much the chosen reward is to exceed the rejected one, a finite number (Llama 2, arXiv:2307.09288,
    /// section 3.2.2). Asked once a pair.</summary>
    /// <value>The default is null: no margin.</value>
    public Func<PreferencePair, double>? Margin { get; init; }

    /// <summary>Ends each completion that has no end yet with the tokenizer's end-of-sequence token, on which the reward is then
    /// read.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <inheritdoc/>
    internal override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Objective);
        Objective.Check();
    }
}
