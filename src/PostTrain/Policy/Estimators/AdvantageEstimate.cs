using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>Advantages of every token, and what a value function should have said there.</summary>
/// <param name="Advantages">[B,T], 0 where nothing counts; without a gradient.</param>
/// <param name="Returns">Targets of the value function, [B,T], 0 where nothing counts; without a gradient.</param>
public sealed record AdvantageEstimate(Tensor Advantages, Tensor Returns);
