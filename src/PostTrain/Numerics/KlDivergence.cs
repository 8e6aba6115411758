using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Estimators of KL(π‖π_ref) from the log-probabilities of tokens drawn from π (Schulman, "Approximating KL divergence",
/// 2020).</summary>
/// <remarks>
/// With d = log π − log π_ref on a token drawn from π. As a loss term, an estimator's expected gradient can differ from that of its
/// expected value:
/// <list type="table">
/// <listheader><term>estimator</term><description>E[value] · E[gradient as a loss term on-policy]</description></listheader>
/// <item><term>k1 = d</term><description>KL(π‖π_ref) · 0: no effect; use it in the reward</description></item>
/// <item><term>k2 = d²/2</term><description>biased · ∇KL(π‖π_ref)</description></item>
/// <item><term>k3 = e^{−d} − 1 + d, its tangent where −d is above 40 (600 in float64)</term><description>KL(π‖π_ref) · ∇KL(π_ref‖π), the
/// reverse direction</description></item>
/// <item><term>|d|</term><description>biased · E[sign(d) ∇log π], not the gradient of a divergence</description></item>
/// <item><term>k3+ and k1+, straight-through (verl)</term><description>KL(π‖π_ref) · ∇KL(π‖π_ref)</description></item>
/// <item><term>ρ·k1, ρ·k3 (<see cref="RatioCorrected"/>)</term><description>KL(π‖π_ref) · ∇KL(π‖π_ref), also
/// off-policy</description></item>
/// <item><term><see cref="Exact(Tensor, Tensor)"/></term><description>KL(π‖π_ref) · ∇KL(π‖π_ref) of the position, without sampling variance
/// of its token</description></item>
/// </list>
/// In the reward, which only the score function sees, k1 has the gradient ∇KL(π‖π_ref) and k3 has ∇KL(π‖π_ref) − ∇KL(π_ref‖π). All of this
/// holds for the distribution of one position. Only a KL term in the reward accounts for the effect of a token on the divergence of later
/// positions.
/// </remarks>
public static class KlDivergence
{
    /// <summary>Bound of log-ratios in an exponent, as in verl: ρ is between e^−20 and e^20 = 4.9e8. Beyond the bound there is no
    /// gradient.</summary>
    public const double RatioBound = 20;

    // Start of the tangent of k3 in float64: below it the estimate is exact, and e^600 times any log-ratio is still finite.
    internal const double DoubleCap = 600;

    /// <summary>Computes the estimate of each token.</summary>
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

    /// <summary>Computes the estimate of each counted token; 0 elsewhere, whatever the inputs hold there.</summary>
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
        // All estimators are 0 at d = 0. Masking d instead of the estimate keeps a NaN out of the gradient too.
        return Of(Masked.Counted(logProbs - referenceLogProbs.detach(), mask), estimator).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the importance-corrected estimate ρ·k of each counted token, ρ = π/π_old on a token drawn from π_old; 0
    /// elsewhere.</summary>
    /// <remarks>
    /// DeepSeek-V3.2 (arXiv:2512.02556, section 3.1) with k3; TRL's <c>use_bias_correction_kl</c>. The gradient flows through ρ too: in
    /// expectation over π_old the value is KL(π‖π_ref) and the gradient ∇KL(π‖π_ref), also on-policy (ρ = 1). log ρ is clamped to ±20 (<see
    /// cref="RatioBound"/>).
    /// </remarks>
    /// <param name="logProbs">log π of the taken tokens, any shape.</param>
    /// <param name="oldLogProbs">log π_old, the same shape: the policy that sampled the tokens; no gradient flows through it.</param>
    /// <param name="referenceLogProbs">log π_ref, the same shape; no gradient flows through it.</param>
    /// <param name="mask">The same shape; 1 where a token counts.</param>
    /// <param name="estimator">K1 or K3 (the default); the others are biased with and without the ratio.</param>
    /// <returns>The shape of <paramref name="logProbs"/>, in nats.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor RatioCorrected(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor referenceLogProbs,
        Tensor mask,
        KlEstimator estimator = KlEstimator.K3
    )
    {
        if (estimator is not (KlEstimator.K1 or KlEstimator.K3))
            throw new ArgumentOutOfRangeException(nameof(estimator), estimator, "expected K1 or K3");
        Check(logProbs, referenceLogProbs);
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), logProbs, nameof(logProbs));
        using var scope = NewDisposeScope();
        var difference = Masked.Counted(logProbs - referenceLogProbs.detach(), mask);
        var logRatio = Masked.Counted(logProbs - oldLogProbs.detach(), mask);
        return (Bounded(logRatio).exp() * Of(difference, estimator)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes KL(π‖π_ref) = Σ_v π_v (log π_v − log π_ref,v) over each position's whole distribution.</summary>
    /// <remarks>A token of probability 0 under π contributes 0; one that only π_ref excludes makes the divergence infinite. Twice
    /// differentiable in the logits, ∂/∂z_v = π_v (log π_v − log π_ref,v − KL).</remarks>
    /// <param name="logits">[..., V], of π.</param>
    /// <param name="referenceLogits">[..., V], of π_ref; no gradient flows through it.</param>
    /// <returns>[...], in nats.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Exact(Tensor logits, Tensor referenceLogits)
    {
        Guard.Floating(logits, nameof(logits));
        Guard.SameShape(referenceLogits, nameof(referenceLogits), logits, nameof(logits));
        using var scope = NewDisposeScope();
        var logProbs = logits.log_softmax(-1);
        var absent = logProbs.isneginf();
        var difference = (logProbs - referenceLogits.detach().log_softmax(-1)).masked_fill(absent, 0);
        return logProbs.exp().mul(difference).sum(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Computes <see cref="Exact(Tensor, Tensor)"/> of each counted position; 0 elsewhere. Uncounted positions are not
    /// read.</summary>
    /// <param name="logits">[..., T, V], of π.</param>
    /// <param name="referenceLogits">[..., T, V], of π_ref; no gradient flows through it.</param>
    /// <param name="mask">[..., T]; 1 where a position counts.</param>
    /// <returns>[..., T], in nats.</returns>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Exact(Tensor logits, Tensor referenceLogits, Tensor mask)
    {
        Guard.Floating(logits, nameof(logits));
        Guard.SameShape(referenceLogits, nameof(referenceLogits), logits, nameof(logits));
        ArgumentNullException.ThrowIfNull(mask);
        if (logits.dim() != mask.dim() + 1 || !logits.shape.AsSpan()[..^1].SequenceEqual(mask.shape))
            throw new ArgumentException(
                $"mask has shape {Guard.Shape(mask)}, expected logits' shape {Guard.Shape(logits)} without its last dimension",
                nameof(mask)
            );
        using var scope = NewDisposeScope();
        var counted = new CountedRows(mask);
        return counted.Spread(Exact(counted.Vectors(logits), counted.Vectors(referenceLogits))).MoveToOuterDisposeScope();
    }

    private static void Check(Tensor logProbs, Tensor referenceLogProbs)
    {
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
    }

    /// <summary>Clamps a log-ratio for use in an exponent.</summary>
    internal static Tensor Bounded(Tensor logRatio) => logRatio.clamp(-RatioBound, RatioBound);

    // Intermediate results belong to the caller's scope.
    private static Tensor Of(Tensor difference, KlEstimator estimator) =>
        estimator switch
        {
            KlEstimator.K1 => difference,
            KlEstimator.K2 => difference.square() * 0.5,
            // e^{−d} − 1 + d loses all digits near d = 0; expm1 keeps them. For very negative d the tangent stays finite and keeps its
            // gradient.
            KlEstimator.K3 => Stable.Expm1(difference.neg(), difference.dtype == ScalarType.Float64 ? DoubleCap : Stable.ExponentCap)
                + difference,
            KlEstimator.Absolute => difference.abs(),
            KlEstimator.K3StraightThrough => StraightThrough(difference, KlEstimator.K3),
            KlEstimator.K1StraightThrough => StraightThrough(difference, KlEstimator.K1),
            _ => throw new ArgumentOutOfRangeException(
                nameof(estimator),
                estimator,
                "expected K1, K2, K3, Absolute, K3StraightThrough or K1StraightThrough"
            ),
        };

    // k2 − sg(k2) is exactly 0: the value keeps its digits.
    private static Tensor StraightThrough(Tensor difference, KlEstimator value)
    {
        var square = Of(difference, KlEstimator.K2);
        return Of(difference.detach(), value) + (square - square.detach());
    }
}
