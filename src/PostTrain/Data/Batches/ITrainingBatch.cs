namespace PostTrain.Data.Batches;

/// <summary>A batch of a fixed data set, laid out as tensors of the current dispose scope.</summary>
public interface ITrainingBatch
{
    /// <summary>Examples that a loss can be asked for; a micro-batch is a part of them.</summary>
    int Rows { get; }

    /// <summary>Real tokens that go through the model, for the throughput.</summary>
    double Tokens { get; }

    /// <summary>What the sum of losses over the batch is divided by: its tokens, its pairs. Each part is divided by it too, so that the
    /// shares of the parts add up to the loss of the batch; it is also the weight of the batch in the loss of a data set.</summary>
    double Denominator { get; }
}
