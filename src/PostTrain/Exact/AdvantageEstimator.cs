using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>A way from rewards to advantages, with a name for the report.</summary>
/// <param name="Name">What the report calls it.</param>
/// <param name="Compute">Rewards [N] of groups one after another to advantages [N].</param>
public sealed record AdvantageEstimator(string Name, Func<Tensor, Tensor> Compute);
