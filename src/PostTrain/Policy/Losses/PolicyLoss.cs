using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>A policy loss and what one wants to know of it without computing it again.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="TokenLosses">Per-token losses before aggregation, [B,T], 0 where nothing counts; differentiable.</param>
/// <param name="ClipFraction">Share of the counted tokens whose gradient the clip has cut off; a detached scalar.</param>
/// <param name="OldKl">Mean k3 estimate of KL(π_old‖π) over the counted tokens; a detached scalar.</param>
public sealed record PolicyLoss(Tensor Loss, Tensor TokenLosses, Tensor ClipFraction, Tensor OldKl);
