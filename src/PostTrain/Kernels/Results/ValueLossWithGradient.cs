using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Value and gradient of the loss of a value function.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="TokenLosses">Per-token losses before aggregation, [B,T], 0 where nothing counts.</param>
/// <param name="Gradient">d Loss/d V, [B,T], 0 where nothing counts.</param>
/// <param name="ClipFraction">Share of the counted tokens whose gradient the clip has cut off.</param>
public sealed record ValueLossWithGradient(double Loss, Tensor TokenLosses, Tensor Gradient, double ClipFraction);
