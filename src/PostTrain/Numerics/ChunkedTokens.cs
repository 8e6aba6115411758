using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Quantities of each position's distribution π = softmax(z); 0 where a position does not count.</summary>
/// <param name="LogProbs">log π(target), [..., T].</param>
/// <param name="MeanLogProbs">(1/V) Σ_v log π_v, the term of label smoothing, [..., T].</param>
/// <param name="LogPartitions">log Σ_v exp z_v, the term of z-loss, [..., T].</param>
/// <param name="Entropies">−Σ_v π_v log π_v in nats, [..., T].</param>
/// <param name="Correct">1 if the target has the largest logit, [..., T]; no gradient flows through it.</param>
public sealed record ChunkedTokens(Tensor LogProbs, Tensor MeanLogProbs, Tensor LogPartitions, Tensor Entropies, Tensor Correct);
