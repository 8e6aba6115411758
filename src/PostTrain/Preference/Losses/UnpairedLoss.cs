using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>A loss of completions that were each judged alone, and its diagnostics.</summary>
/// <param name="Loss">The scalar to minimise.</param>
/// <param name="Losses">The loss of each completion, [B]; differentiable.</param>
/// <param name="Rewards">Implicit rewards β(log π − log π_ref), [B]; detached.</param>
public sealed record UnpairedLoss(Tensor Loss, Tensor Losses, Tensor Rewards);
