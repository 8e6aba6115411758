using PostTrain.Numerics;
using PostTrain.Training;

namespace PostTrain.Supervised;

/// <summary>Options of supervised fine-tuning.</summary>
public sealed record SftOptions : TrainingOptions
{
    /// <summary>How the tokens' losses become one number.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <summary>Ends each completion with the tokenizer's end-of-sequence token, so that the model learns to stop.</summary>
    /// <value>The default is true.</value>
    public bool AppendEndOfSequence { get; init; } = true;
}
