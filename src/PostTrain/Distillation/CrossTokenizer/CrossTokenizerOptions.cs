using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.Distillation;

/// <summary>Options of distillation between two vocabularies.</summary>
public sealed record CrossTokenizerOptions : TrainingOptions
{
    /// <summary>Comparison of the distributions.</summary>
    /// <value>The default is ULD with the chain rule.</value>
    public CrossTokenizerObjective Objective { get; init; } = new();

    /// <summary>True to align the tokens by the text that they stand for, which needs tokenizers with offsets; false to pair the i-th
    /// tokens, as in ULD's paper.</summary>
    /// <value>The default is true.</value>
    public bool Align { get; init; } = true;

    /// <summary>Weight of the student's cross-entropy on the given completions, the mean over tokens; at least 0.</summary>
    /// <value>The default is 0.</value>
    public double LabelWeight { get; init; }

    /// <summary>Weight of the distance to the teacher, at least 0.</summary>
    /// <value>The default is 1.</value>
    public double DistillationWeight { get; init; } = 1;

    /// <summary>Ends each completion that has no end yet with each tokenizer's own end-of-sequence token.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        ArgumentNullException.ThrowIfNull(Objective);
        Objective.Check();
        Guard.NotNegative(LabelWeight, nameof(LabelWeight));
        Guard.NotNegative(DistillationWeight, nameof(DistillationWeight));
        if (LabelWeight == 0 && DistillationWeight == 0)
            throw new ArgumentOutOfRangeException(
                nameof(DistillationWeight),
                DistillationWeight,
                "DistillationWeight and LabelWeight are both 0, expected one above 0"
            );
    }
}
