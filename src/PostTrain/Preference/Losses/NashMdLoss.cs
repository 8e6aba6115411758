using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Nash-MD's loss and its diagnostics.</summary>
/// <param name="Loss">The scalar to minimise; its gradient is what counts, its value is not the objective's.</param>
/// <param name="Losses">The loss of each completion, [B]; differentiable.</param>
/// <param name="Scores">(P(y ≻ y′) − ½) log π(y), [B]; detached.</param>
/// <param name="Kl">log π(y) − log π_ref(y), the estimate of KL(π‖π_ref) by each completion, [B]; detached.</param>
public sealed record NashMdLoss(Tensor Loss, Tensor Losses, Tensor Scores, Tensor Kl);
