using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Value and gradient of a loss of pairs.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="PairLosses">The loss of each pair before it is divided, [B].</param>
/// <param name="ChosenGradient">d Loss/d the chosen completions' numbers, [B].</param>
/// <param name="RejectedGradient">d Loss/d the rejected completions' numbers, [B].</param>
/// <param name="Accuracy">Share of the pairs that are in the right order; 0 without a pair.</param>
/// <param name="ChosenReward">Mean (implicit) reward of the chosen completions; 0 without a pair.</param>
/// <param name="RejectedReward">Mean (implicit) reward of the rejected completions; 0 without a pair.</param>
public sealed record PairLossWithGradient(
    double Loss,
    Tensor PairLosses,
    Tensor ChosenGradient,
    Tensor RejectedGradient,
    double Accuracy,
    double ChosenReward,
    double RejectedReward
);
