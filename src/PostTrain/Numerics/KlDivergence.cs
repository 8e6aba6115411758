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
        Check(logProbs, referenceLogProbs);
        using var scope = NewDisposeScope();
        return Of(logProbs - referenceLogProbs.detach(), estimator).MoveToOuterDisposeScope();
    }

    /// <summary>The estimate of each token that counts, and 0 elsewhere, whatever stands there.</summary>
    /// <param name="logProbs">log π of the taken tokens, any shape.</param>
    /// <param name="referenceLogProbs">log π_ref of the same tokens, the same shape; no gradient flows through it.</param>
    /// <param name="mask">The shape of <paramref name="logProbs"/>; 1 where a token counts.</param>
    /// <param name="estimator">k3 by default.</param>
    /// <returns>The shape of <paramref name="logProbs"/>, in nats.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Estimate(Tensor logProbs, Tensor referenceLogProbs, Tensor mask, KlEstimator estimator = KlEstimator.K3)
    {
        Check(logProbs, referenceLogProbs);
        using var scope = NewDisposeScope();
        // All estimators are 0 at d = 0; masking d and not the estimate keeps a NaN out of the gradient too.
        return Of(Masked.Counted(logProbs - referenceLogProbs.detach(), mask), estimator).MoveToOuterDisposeScope();
    }

    private static void Check(Tensor logProbs, Tensor referenceLogProbs)
    {
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
    }

    // Its intermediate results belong to the caller's scope.
    private static Tensor Of(Tensor difference, KlEstimator estimator) => estimator switch
    {
        KlEstimator.K1 => difference,
        KlEstimator.K2 => difference.square() * 0.5,
        // e^{−d} − 1 + d loses all digits near d = 0; expm1 keeps them, and no clamp is needed.
        KlEstimator.K3 => difference.neg().expm1() + difference,
        _ => throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "expected K1, K2 or K3"),
    };
}
