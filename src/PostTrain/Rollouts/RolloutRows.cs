using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Some rows of a <see cref="RolloutBatch"/>, as views that belong to the scope in which they were taken.</summary>
/// <param name="Ids">[B,P+T].</param>
/// <param name="AttentionMask">[B,P+T].</param>
/// <param name="CompletionMask">[B,T].</param>
/// <param name="LogProbs">[B,T], at sampling time.</param>
public sealed record RolloutRows(Tensor Ids, Tensor AttentionMask, Tensor CompletionMask, Tensor LogProbs);
