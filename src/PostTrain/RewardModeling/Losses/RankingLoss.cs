using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>A loss on rankings of several answers to one prompt.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="PromptLosses">Per-prompt losses, [B], 0 for a prompt without anything to compare; differentiable.</param>
/// <param name="Accuracy">Share of the comparable pairs whose rewards stand in the order of their ranks; a tie is wrong. A detached
/// scalar.</param>
public sealed record RankingLoss(Tensor Loss, Tensor PromptLosses, Tensor Accuracy);
