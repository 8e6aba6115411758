using static TorchSharp.torch;

namespace PostTrain.Distillation;

/// <summary>A distillation loss on sampled tokens. Its gradient is what counts; its value is not a divergence.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="TokenLosses">Per-token losses before aggregation, [B,T], 0 where nothing counts; differentiable.</param>
/// <param name="Kl">Mean of log q − log p over the counted tokens, the k1 estimate of KL(q‖p) on the student's own samples; a detached
/// scalar.</param>
public sealed record SampledDistillationLoss(Tensor Loss, Tensor TokenLosses, Tensor Kl);
