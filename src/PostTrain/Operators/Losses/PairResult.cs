using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Value and gradients of a loss of pairs.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="Losses">The loss of each pair before it is divided, [B].</param>
/// <param name="ChosenGradient">d Loss/d the chosen completions' numbers, [B].</param>
/// <param name="RejectedGradient">d Loss/d the rejected completions' numbers, [B].</param>
/// <param name="Accuracy">Share of the pairs in the right order; 0 without a pair.</param>
/// <param name="ChosenReward">Mean reward of the chosen completions; 0 without a pair.</param>
/// <param name="RejectedReward">Mean reward of the rejected ones.</param>
internal sealed record PairResult(
    double Loss,
    Tensor Losses,
    Tensor ChosenGradient,
    Tensor RejectedGradient,
    double Accuracy,
    double ChosenReward,
    double RejectedReward
)
{
    /// <summary>Rewards of both completions and their difference, [B]; null where they were not asked for.</summary>
    internal (Tensor Chosen, Tensor Rejected, Tensor Margins)? Rewards { get; init; }
}
