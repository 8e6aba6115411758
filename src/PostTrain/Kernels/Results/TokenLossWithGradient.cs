using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Value and gradient of a loss of tokens from logits.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="TokenLosses">Per-token losses before aggregation, [B,T], 0 where nothing counts.</param>
/// <param name="Gradient">d Loss/d logits, [B,T,V], 0 where nothing counts.</param>
/// <param name="Accuracy">Share of the counted tokens that have the largest logit; of distillation, at which student and teacher have the
/// same one.</param>
public sealed record TokenLossWithGradient(double Loss, Tensor TokenLosses, Tensor Gradient, double Accuracy);
