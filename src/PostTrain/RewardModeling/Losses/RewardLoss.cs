using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>A pairwise reward-model loss and what one wants to know of it without computing it again.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="PairLosses">Per-pair losses, centring included, [N]; differentiable.</param>
/// <param name="Accuracy">Share of the pairs whose rewards stand in the order of their label; a tie is wrong. A detached scalar.</param>
/// <param name="Margin">Mean of r_w − r_l; a detached scalar.</param>
/// <param name="MeanReward">Mean of all 2N rewards; a detached scalar.</param>
/// <param name="MinimumReward">The least of them; a detached scalar.</param>
/// <param name="MaximumReward">The greatest of them; a detached scalar.</param>
public sealed record RewardLoss(
    Tensor Loss,
    Tensor PairLosses,
    Tensor Accuracy,
    Tensor Margin,
    Tensor MeanReward,
    Tensor MinimumReward,
    Tensor MaximumReward
);
