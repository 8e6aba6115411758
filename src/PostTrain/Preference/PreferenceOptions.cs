using PostTrain.Training;

namespace PostTrain.Preference;

/// <summary>Options common to all trainers on preferences. <see cref="TrainingOptions.BatchSize"/> and
/// <see cref="TrainingOptions.MicroBatchSize"/> count examples (pairs).</summary>
public abstract record PreferenceOptions : TrainingOptions
{
    /// <summary>Ends each completion that has no end yet with the tokenizer's end-of-sequence token, so that the model learns to
    /// stop.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;
}
