using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>One batch of a fixed data set, laid out as tensors of the current scope.</summary>
internal abstract class TrainingBatch
{
    /// <summary>Rows that <see cref="Loss"/> can be asked for.</summary>
    internal abstract int Rows { get; }

    /// <summary>Real tokens that go through the model, for the throughput.</summary>
    internal abstract double Tokens { get; }

    /// <summary>What the batch's loss is a mean over, its tokens or its examples: the weight of the batch in the loss of a data
    /// set.</summary>
    internal abstract double Weight { get; }

    /// <summary>The share that some rows have in the loss of the whole batch: the shares add up, whatever the parts.</summary>
    internal abstract Tensor Loss(int start, int count, MetricMeans means);
}
