using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Log-probabilities of given tokens, and what their gradient is computed of.</summary>
/// <param name="LogProbs">log π(target), [...], 0 where nothing counts.</param>
/// <param name="Entropies">Entropy of each position, [...], 0 where nothing counts; null where it was not asked for.</param>
/// <param name="LogPartitions">log Σ exp z, [...], 0 where nothing counts.</param>
public sealed record TokenScores(Tensor LogProbs, Tensor? Entropies, Tensor LogPartitions);
