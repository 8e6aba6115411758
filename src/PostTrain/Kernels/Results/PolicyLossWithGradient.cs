using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Value and gradient of a policy loss.</summary>
/// <param name="Loss">The loss, summed in float64.</param>
/// <param name="TokenLosses">Surrogate and KL term of each token before aggregation, [B,T], 0 where nothing counts.</param>
/// <param name="Gradient">d Loss/d log π, [B,T], 0 where nothing counts.</param>
/// <param name="EntropyGradient">d Loss/d entropy, [B,T]; null without an entropy bonus.</param>
/// <param name="ClipFraction">Share of the counted tokens at which a bound acts.</param>
/// <param name="OldKl">Mean k3 estimate of KL(π_old‖π) over the counted tokens.</param>
/// <param name="Kl">Mean estimate of the divergence from the reference over the counted tokens, 0 without a reference.</param>
public sealed record PolicyLossWithGradient(
    double Loss,
    Tensor TokenLosses,
    Tensor Gradient,
    Tensor? EntropyGradient,
    double ClipFraction,
    double OldKl,
    double Kl
);
