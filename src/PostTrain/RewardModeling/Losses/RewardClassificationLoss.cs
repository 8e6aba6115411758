using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>A classification loss of an outcome or process reward model.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="ItemLosses">Per-answer [N] or per-position [B,T] losses, 0 where nothing counts; differentiable.</param>
/// <param name="Accuracy">Share of the counted labels that the model's own decision meets; a detached scalar.</param>
public sealed record RewardClassificationLoss(Tensor Loss, Tensor ItemLosses, Tensor Accuracy);
