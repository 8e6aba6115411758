using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Some rows of a <see cref="RolloutBatch"/>, as views that belong to the scope in which they were taken.</summary>
/// <param name="Ids">[B,P+T].</param>
/// <param name="AttentionMask">[B,P+T].</param>
/// <param name="CompletionMask">[B,T].</param>
/// <param name="LogProbs">[B,T], at sampling time.</param>
public sealed record RolloutRows(Tensor Ids, Tensor AttentionMask, Tensor CompletionMask, Tensor LogProbs)
{
    /// <summary>B.</summary>
    internal int Count => (int)Ids.shape[0];

    /// <summary>Returns the rows from <paramref name="start"/> on, as views that belong to the current scope.</summary>
    /// <param name="start">First row.</param>
    /// <param name="count">At least 1.</param>
    public RolloutRows Part(long start, long count) => Each(tensor => tensor.narrow(0, start, count));

    /// <summary>Returns the rows of these numbers ([N] int64), as copies that belong to the current scope.</summary>
    internal RolloutRows Select(Tensor indices) => Each(tensor => tensor.index_select(0, indices));

    /// <summary>Returns rows whose tensors are a function of these.</summary>
    internal RolloutRows Each(Func<Tensor, Tensor> of) => new(of(Ids), of(AttentionMask), of(CompletionMask), of(LogProbs));
}
