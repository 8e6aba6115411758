using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>A supervised loss and its diagnostics.</summary>
/// <param name="Loss">The scalar to minimise, in nats.</param>
/// <param name="TokenLosses">Per-token losses before aggregation, [B,T], 0 where nothing counts; differentiable.</param>
/// <param name="Accuracy">Share of the counted tokens that have the largest logit; a detached scalar.</param>
public sealed record SupervisedLoss(Tensor Loss, Tensor TokenLosses, Tensor Accuracy);
