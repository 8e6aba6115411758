using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Estimators of KL(π‖π_ref) from the log-probabilities of tokens drawn from π (Schulman, "Approximating KL divergence", 2020).</summary>
/// <remarks>
/// With d = log π − log π_ref on a token drawn from π. As a term of the loss, the expected gradients differ from the value's:
/// <list type="table">
/// <listheader><term>estimator</term><description>E[value] · E[gradient as a loss term on-policy]</description></listheader>
/// <item><term>k1 = d</term><description>KL(π‖π_ref) · 0: no effect at all; use it in the reward</description></item>
/// <item><term>k2 = d²/2</term><description>biased · ∇KL(π‖π_ref)</description></item>
/// <item><term>k3 = e^{−d} − 1 + d</term><description>KL(π‖π_ref) · ∇KL(π_ref‖π), the other direction</description></item>
/// </list>
/// </remarks>
public static class KlDivergence
{
    /// <summary>The estimate of each token.</summary>
    /// <param name="logProbs">log π of the taken tokens, any shape.</param>
    /// <param name="referenceLogProbs">log π_ref of the same tokens, the same shape; no gradient flows through it.</param>
    /// <param name="estimator">k3 by default, as in GRPO (arXiv:2402.03300, eq. 4).</param>
    /// <returns>The shape of <paramref name="logProbs"/>, in nats.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Estimate(Tensor logProbs, Tensor referenceLogProbs, KlEstimator estimator = KlEstimator.K3)
    {
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
        using var scope = NewDisposeScope();
        var difference = logProbs - referenceLogProbs.detach();
        var estimate = estimator switch
        {
            KlEstimator.K1 => difference,
            KlEstimator.K2 => difference.square() * 0.5,
            // e^{−d} − 1 + d loses all digits near d = 0; expm1 keeps them, and no clamp is needed.
            KlEstimator.K3 => difference.neg().expm1() + difference,
            _ => throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "expected K1, K2 or K3"),
        };
        return estimate.MoveToOuterDisposeScope();
    }
}
