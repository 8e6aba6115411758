using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>A distillation loss and what one wants to know of it without computing it again.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="TokenLosses">Per-position losses before aggregation, [B,T], 0 where nothing counts; differentiable.</param>
/// <param name="Agreement">Share of the counted positions where student and teacher have the same most likely token; a detached
/// scalar.</param>
public sealed record DistillationLoss(Tensor Loss, Tensor TokenLosses, Tensor Agreement);
