using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Value and gradient of a loss of completions that were each judged alone.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="Losses">The loss of each completion before it is divided, [B].</param>
/// <param name="Gradient">d Loss/d log-probabilities, [B].</param>
/// <param name="Reward">Mean implicit reward; 0 without a completion.</param>
public sealed record CompletionLossWithGradient(double Loss, Tensor Losses, Tensor Gradient, double Reward);
