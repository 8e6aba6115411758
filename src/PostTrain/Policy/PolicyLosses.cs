using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Losses whose gradient is a policy gradient.</summary>
public static class PolicyLosses
{
    /// <summary>Clipped surrogate policy loss, L = −agg[min(ρA, clip(ρ, 1−ε₋, 1+ε₊)A)], ρ = exp(log π − log π_old).</summary>
    /// <remarks>
    /// Schulman et al. 2017, arXiv:1707.06347, eq. 7; asymmetric range: DAPO, arXiv:2503.14476, eq. 8.
    /// No gradient flows through <paramref name="oldLogProbs"/> or <paramref name="advantages"/>. On the first update after
    /// sampling ρ = 1, and the gradient is the policy gradient −A∇log π. A mask without a counted token gives 0.
    /// Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="logProbs">log π of the taken tokens, [B,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="advantages">[B,T], or [B] for one value a sequence.</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="clip">ε₋ and ε₊; a number stands for both.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static PolicyLoss ClippedSurrogate(Tensor logProbs, Tensor oldLogProbs, Tensor advantages, Tensor mask,
        ClipRange clip, LossAggregation? aggregation = null, double? denominator = null)
    {
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(mask, nameof(mask), logProbs, nameof(logProbs));
        clip.Check(nameof(clip));

        using var scope = NewDisposeScope();
        // Masked before any arithmetic: what stands where nothing counts may not reach the gradient as 0·NaN.
        var perToken = Masked.Counted(PerToken(advantages, logProbs).detach(), mask);
        var logRatio = Masked.Counted(logProbs - oldLogProbs.detach(), mask);
        // min(ρA, clip(ρ)A) is a constant where the clip cuts and ρA elsewhere. Written as that choice, a ratio that overflows on the
        // far side of the clip stays out of the graph, where its derivative would be 0·∞.
        var ratio = logRatio.detach().exp();
        var cut = (perToken >= 0).logical_and(ratio > 1 + clip.Upper).logical_or((perToken <= 0).logical_and(ratio < 1 - clip.Lower));
        var bound = ratio.clamp(1 - clip.Lower, 1 + clip.Upper);
        var losses = where(cut, bound, logRatio.masked_fill(cut, 0).exp()).mul(perToken).neg();
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);

        using var _ = no_grad();
        var clipFraction = Masked.Mean(cut.logical_and(perToken != 0).to_type(losses.dtype), mask);
        // Tokens were drawn from π_old, so the divergence that they estimate is KL(π_old‖π).
        var oldKl = Masked.Mean(KlDivergence.Estimate(oldLogProbs.detach(), logProbs), mask);
        return new PolicyLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(),
            clipFraction.MoveToOuterDisposeScope(), oldKl.MoveToOuterDisposeScope());
    }

    private static Tensor PerToken(Tensor advantages, Tensor logProbs)
    {
        if (advantages.dim() == 1 && advantages.shape[0] == logProbs.shape[0]) return advantages.unsqueeze(1).expand_as(logProbs);
        if (advantages.shape.AsSpan().SequenceEqual(logProbs.shape)) return advantages;
        throw new ArgumentException(
            $"advantages has shape {Guard.Shape(advantages)}, expected {Guard.Shape(logProbs)} as logProbs, or [{logProbs.shape[0]}]", nameof(advantages));
    }
}
