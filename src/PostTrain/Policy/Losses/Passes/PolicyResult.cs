using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Value and gradient of a policy loss, or of a value loss.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="Losses">Per-token losses before aggregation, [B,T], 0 where nothing counts.</param>
/// <param name="Gradient">d Loss/d log π or d Loss/dV, [B,T], 0 where nothing counts.</param>
/// <param name="ClipFraction">Share of the counted tokens at which a bound acts.</param>
/// <param name="OldKl">Mean k3 estimate of KL(π_old‖π) over the counted tokens.</param>
/// <param name="Kl">Mean estimate of the divergence from the reference, 0 without one.</param>
internal sealed record PolicyResult(double Loss, Tensor Losses, Tensor Gradient, double ClipFraction, double OldKl, double Kl);
