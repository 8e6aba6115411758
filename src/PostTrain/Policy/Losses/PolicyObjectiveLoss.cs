using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>The loss of a policy objective and what one wants to know of it without computing it again.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="TokenLosses">Surrogate and KL term of each token, [B,T], 0 where nothing counts; differentiable.</param>
/// <param name="ClipFraction">Share of the counted tokens at which a bound acts; a detached scalar.</param>
/// <param name="OldKl">Mean k3 estimate of KL(π_old‖π) over the counted tokens; a detached scalar.</param>
/// <param name="Kl">Mean estimate of the divergence from the reference over the counted tokens, 0 without a reference; a detached
/// scalar.</param>
public sealed record PolicyObjectiveLoss(Tensor Loss, Tensor TokenLosses, Tensor ClipFraction, Tensor OldKl, Tensor Kl);
