using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.Supervised;

/// <summary>Options of supervised fine-tuning.</summary>
public sealed record SftOptions : TrainingOptions
{
    /// <inheritdoc cref="CrossEntropyObjective.LabelSmoothing"/>
    public double LabelSmoothing { get; init; }

    /// <inheritdoc cref="CrossEntropyObjective.ZLoss"/>
    public double ZLoss { get; init; }

    /// <inheritdoc cref="CrossEntropyObjective.Weighting"/>
    public TokenWeighting Weighting { get; init; }

    /// <inheritdoc cref="CrossEntropyObjective.Logits"/>
    public LogitTransform Logits { get; init; } = LogitTransform.None;

    /// <summary>Aggregation of the tokens' losses.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <summary>Ends each completion that has no end yet with the tokenizer's end-of-sequence token, so that the model learns to
    /// stop.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;

    /// <summary>Lays several examples end to end in rows of the model's context length (<see cref="Data.Batches.SequenceBatch.Packed"/>),
    /// so that little of a batch is padding; they do not see each other, and loss and gradient are those of the same examples one a row.
    /// <see cref="TrainingOptions.MicroBatchSize"/> then counts rows.</summary>
    /// <value>The default is false.</value>
    public bool Packing { get; init; }

    /// <summary>The loss that the options name.</summary>
    internal CrossEntropyObjective Objective =>
        new()
        {
            LabelSmoothing = LabelSmoothing,
            ZLoss = ZLoss,
            Weighting = Weighting,
            Logits = Logits,
        };

    /// <inheritdoc/>
    public override void Validate()
    {
        base.Validate();
        Objective.Check();
        // A packed row is no sequence, so that a mean over each one cannot be taken of it; sums can.
        if (Packing && Aggregation == LossAggregation.SequenceMean)
            throw new ArgumentOutOfRangeException(
                nameof(Aggregation),
                Aggregation,
                $"With {nameof(Packing)}, Aggregation must be a token mean or a sum."
            );
    }
}
