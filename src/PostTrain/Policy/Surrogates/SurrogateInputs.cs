using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Policy.Surrogates;

/// <summary>What a surrogate is made of; every tensor is [B,T] and 0 where nothing counts.</summary>
/// <param name="LogProbs">log π, with its gradient.</param>
/// <param name="OldLogProbs">log π_old, detached.</param>
/// <param name="LogRatio">log ρ at the chosen level, with its gradient.</param>
/// <param name="Advantages">A, detached.</param>
/// <param name="Mask">Where a token counts; bool.</param>
/// <param name="ImportanceWeights">Correction for the sampler, detached; null for none.</param>
internal sealed record SurrogateInputs(Tensor LogProbs, Tensor OldLogProbs, Tensor LogRatio, Tensor Advantages, Tensor Mask, SequenceFactors? ImportanceWeights)
{
    /// <summary>log ρ as it may stand in an exponent: within ±<see cref="KlDivergence.RatioBound"/>, without a gradient beyond.</summary>
    internal Tensor Exponent => KlDivergence.Bounded(LogRatio);
}
