using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>A loss of preference pairs and its diagnostics.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="PairLosses">The loss of each pair, [B]; differentiable.</param>
/// <param name="ChosenRewards">Implicit rewards of the chosen completions, [B]; detached.</param>
/// <param name="RejectedRewards">Implicit rewards of the rejected completions, [B]; detached.</param>
/// <param name="Margins">Chosen less rejected rewards, [B]; detached.</param>
/// <param name="Accuracy">Share of the pairs with a margin above 0; a detached scalar, 0 without a pair.</param>
public sealed record PreferenceLoss(
    Tensor Loss,
    Tensor PairLosses,
    Tensor ChosenRewards,
    Tensor RejectedRewards,
    Tensor Margins,
    Tensor Accuracy
);
