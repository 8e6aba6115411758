using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>A named function from rewards to advantages.</summary>
/// <param name="Name">The name in the report.</param>
/// <param name="Compute">Maps rewards [N], group after group, to advantages [N].</param>
public sealed record AdvantageEstimator(string Name, Func<Tensor, Tensor> Compute);
