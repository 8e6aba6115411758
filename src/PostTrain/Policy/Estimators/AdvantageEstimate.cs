using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>Advantages of every token, and the targets of the value function.</summary>
/// <param name="Advantages">[B,T], 0 where nothing counts; without a gradient.</param>
/// <param name="Returns">Targets of the value function, [B,T], 0 where nothing counts; without a gradient.</param>
public sealed record AdvantageEstimate(Tensor Advantages, Tensor Returns);
