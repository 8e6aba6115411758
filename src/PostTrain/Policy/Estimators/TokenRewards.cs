using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>Rewards of single tokens, made of one score a completion and the divergence from a reference.</summary>
public static class TokenRewards
{
    /// <summary>r_t = −β·kl_t, and the completion's score added at its last counted token.</summary>
    /// <remarks>
    /// RLHF's reward (InstructGPT, arXiv:2203.02155, eq. 2). With the k1 estimator the expected policy gradient of the penalty is
    /// −β∇KL(π‖π_ref) exactly; see <see cref="KlDivergence"/> for the estimators as terms of a loss. A row without a counted token
    /// keeps no score. Peers differ in where the score stands: here and in TRL 0.11 at the last token, in TRL's later PPO one
    /// position behind it, where their values still count; that makes no difference at γ = λ = 1.
    /// </remarks>
    /// <param name="logProbs">log π at sampling time, [B,T]; no gradient flows through it.</param>
    /// <param name="referenceLogProbs">log π_ref, [B,T].</param>
    /// <param name="scores">One number a completion, [B].</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="beta">β, at least 0.</param>
    /// <param name="estimator">k1 by default.</param>
    /// <returns>[B,T], 0 where nothing counts; without a gradient.</returns>
    public static Tensor WithKl(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor scores,
        Tensor mask,
        double beta,
        KlEstimator estimator = KlEstimator.K1
    )
    {
        Guard.NotNegative(beta, nameof(beta));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var penalty = KlDivergence.Estimate(logProbs, referenceLogProbs, mask, estimator) * -beta;
        return (penalty + AtLastToken(scores, mask).to_type(penalty.dtype)).MoveToOuterDisposeScope();
    }

    /// <summary>[B,T]: each completion's score at its last counted token, 0 elsewhere.</summary>
    /// <param name="scores">[B], floating point.</param>
    /// <param name="mask">[B,T].</param>
    public static Tensor AtLastToken(Tensor scores, Tensor mask)
    {
        Guard.Rank(mask, nameof(mask), 2, "[B,T]");
        Guard.Floating(scores, nameof(scores));
        if (scores.dim() != 1 || scores.shape[0] != mask.shape[0])
            throw new ArgumentException(
                $"scores has shape {Guard.Shape(scores)}, expected [{mask.shape[0]}], one a row of mask",
                nameof(scores)
            );
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var counted = (mask != 0).to_type(ScalarType.Int64);
        var upTo = counted.cumsum(1);
        var isLast = counted.eq(1).logical_and(upTo.eq(counted.sum(1).unsqueeze(1)));
        return where(isLast, scores.detach().unsqueeze(1), scores.new_zeros(1)).MoveToOuterDisposeScope();
    }

    /// <summary>The scores with a penalty subtracted where a completion did not end by itself.</summary>
    /// <remarks>TRL's missing-EOS penalty.</remarks>
    /// <param name="scores">[B].</param>
    /// <param name="finished">[B]; 1 or true where the completion ended with a stop token.</param>
    /// <param name="penalty">At least 0.</param>
    public static Tensor PenalizeUnfinished(Tensor scores, Tensor finished, double penalty)
    {
        Guard.Rank(scores, nameof(scores), 1, "[B]");
        Guard.SameShape(finished, nameof(finished), scores, nameof(scores));
        Guard.NotNegative(penalty, nameof(penalty));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return where(finished != 0, scores.detach(), scores.detach() - penalty).MoveToOuterDisposeScope();
    }

    /// <summary>Soft overlong punishment of DAPO: 0 up to limit − buffer, falling linearly to −1 at the limit, −1 beyond it.</summary>
    /// <remarks>arXiv:2503.14476, eq. 13. Added to the scores.</remarks>
    /// <param name="lengths">Tokens of each completion, [B].</param>
    /// <param name="limit">L_max, at least 1.</param>
    /// <param name="buffer">L_cache, 1 to <paramref name="limit"/>.</param>
    /// <returns>[B], Float64, between −1 and 0.</returns>
    public static Tensor Overlong(Tensor lengths, int limit, int buffer)
    {
        Guard.Rank(lengths, nameof(lengths), 1, "[B]");
        Guard.AtLeast(limit, 1, nameof(limit));
        if (buffer < 1 || buffer > limit)
            throw new ArgumentOutOfRangeException(nameof(buffer), buffer, $"buffer must be between 1 and limit, {limit}");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return lengths.to_type(ScalarType.Float64).neg().add(limit - buffer).div(buffer).clamp(-1, 0).MoveToOuterDisposeScope();
    }
}
