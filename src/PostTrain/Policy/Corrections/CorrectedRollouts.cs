using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Weights and mask of a batch whose sampler is not the policy that is trained:
/// <see cref="ImportanceCorrection.Apply"/>.</summary>
/// <param name="Weights">[B,T], or [B] for one per sequence: for <see cref="Losses.PolicyBatch.ImportanceWeights"/>; without a
/// gradient.</param>
/// <param name="Mask">[B,T]: the tokens that still count; of the given mask's type.</param>
/// <param name="Metrics">Numbers of the gap, the weights and the rejections; listed at <see cref="ImportanceCorrection.Apply"/>.</param>
public sealed record CorrectedRollouts(Tensor Weights, Tensor Mask, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>Adds the metrics to those of a step, as <c>correction/NAME</c>.</summary>
    internal void AddTo(Dictionary<string, double> metrics)
    {
        foreach (var (name, value) in Metrics)
            metrics[$"correction/{name}"] = value;
    }
}
