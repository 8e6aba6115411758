using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Losses;

/// <summary>Losses whose gradient is a policy gradient.</summary>
public static partial class PolicyLosses
{
    /// <summary>Computes the clipped surrogate policy loss, L = −agg[min(ρA, clip(ρ, 1−ε₋, 1+ε₊)A)], ρ = exp(log π − log π_old).</summary>
    /// <remarks>
    /// Schulman et al. 2017, arXiv:1707.06347, eq. 7; asymmetric range: DAPO, arXiv:2503.14476, eq. 8.
    /// No gradient flows through <paramref name="oldLogProbs"/> or <paramref name="advantages"/>. On the first update after
    /// sampling ρ = 1, and the gradient is the policy gradient −A∇log π. A mask without a counted token gives 0.
    /// Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="logProbs">log π of the taken tokens, [B,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="advantages">[B,T], or [B] for one value per sequence.</param>
    /// <param name="mask">[B,T]; 1 if the token was generated and counts.</param>
    /// <param name="clip">ε₋ and ε₊; a single number sets both.</param>
    /// <param name="aggregation">The aggregation; null means the token mean.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch if this is a part of it; null means its own.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static PolicyLoss ClippedSurrogate(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor advantages,
        Tensor mask,
        ClipRange clip,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        clip.Check(nameof(clip));
        return Surrogate(
            logProbs,
            oldLogProbs,
            advantages,
            mask,
            PolicySurrogate.Clip(clip),
            aggregation: aggregation,
            denominator: denominator
        );
    }

    /// <summary>Computes the loss of any surrogate at any level of the ratio: L = agg[w·s(ρ, A)].</summary>
    /// <remarks>
    /// The common form of the named methods; <see cref="PolicyObjective"/> adds the KL term and the entropy bonus. In an exponent log ρ is
    /// clamped to ±20 (<see cref="KlDivergence.RatioBound"/>), so that a policy far from the sampler's gives finite losses; beyond the
    /// bound ρ has no gradient. No gradient flows through <paramref name="oldLogProbs"/>, <paramref name="advantages"/> or the weights.
    /// Uncounted positions are not read.
    /// </remarks>
    /// <param name="logProbs">log π of the taken tokens, [B,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="advantages">[B,T], or [B] for one value per sequence.</param>
    /// <param name="mask">[B,T]; 1 if the token was generated and counts.</param>
    /// <param name="surrogate">The surrogate s.</param>
    /// <param name="ratio">The level of the ratio; tokens by default.</param>
    /// <param name="weights">w, [B,T] or [B]: masks of <see cref="CompletionMasks"/> that do not affect the denominator; null means
    /// 1.</param>
    /// <param name="importanceWeights">Correction for the sampler, see <see cref="ImportanceCorrection"/>: [B,T], or [B] for one per
    /// sequence, which counts once in a weight of whole sequences; null means 1.</param>
    /// <param name="aggregation">The aggregation; null means the token mean.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch if this is a part of it; null means its own.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static PolicyLoss Surrogate(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor advantages,
        Tensor mask,
        PolicySurrogate surrogate,
        RatioLevel ratio = RatioLevel.Token,
        Tensor? weights = null,
        Tensor? importanceWeights = null,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        ArgumentNullException.ThrowIfNull(surrogate);
        using var scope = NewDisposeScope();
        var call = new PolicyCall(logProbs, oldLogProbs, advantages, mask)
        {
            Weights = weights,
            ImportanceWeights = importanceWeights,
            Level = ratio,
            Aggregation = aggregation,
            Denominator = denominator,
        };
        if (PolicyPass.Takes(surrogate) && call.IsTaken)
        {
            var (found, value, each) = call.Run(
                surrogate,
                own =>
                {
                    var again = Surrogate(own[0]!, own[2]!, own[3]!, own[4]!, surrogate, ratio, own[6], own[7], aggregation, denominator);
                    return (again.Loss, again.TokenLosses);
                }
            );
            return new PolicyLoss(value, each, PolicyCall.Scalar(found.ClipFraction, each), PolicyCall.Scalar(found.OldKl, each));
        }
        var (losses, cut, _) = Terms(logProbs, oldLogProbs, advantages, mask, surrogate, ratio, weights, importanceWeights);
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);
        using var constant = no_grad();
        var clipFraction = Masked.Mean(cut.to_type(losses.dtype), mask);
        // Tokens were sampled from π_old, so their estimate is that of KL(π_old‖π).
        var oldKl = Masked.Mean(KlDivergence.Estimate(oldLogProbs.detach(), logProbs), mask);
        return new PolicyLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            clipFraction.MoveToOuterDisposeScope(),
            oldKl.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes the weighted token losses, the tokens at which the bound acts, and the log-ratio with its gradient; they belong to
    /// the caller's scope.</summary>
    internal static (Tensor Losses, Tensor Cut, Tensor LogRatio) Terms(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor advantages,
        Tensor mask,
        PolicySurrogate surrogate,
        RatioLevel ratio,
        Tensor? weights,
        Tensor? importanceWeights
    )
    {
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(mask, nameof(mask), logProbs, nameof(logProbs));
        // Masked before any arithmetic: uncounted values must not reach the gradient as 0·NaN.
        var counted = mask.dtype == ScalarType.Bool ? mask : mask != 0;
        var signal = SurrogateInputs.PerToken(SurrogateInputs.Factors(advantages, nameof(advantages), logProbs), counted);
        var current = Masked.Counted(logProbs, counted);
        var old = Masked.Counted(oldLogProbs.detach(), counted);
        var correction = importanceWeights is null ? null : SurrogateInputs.Factors(importanceWeights, nameof(importanceWeights), logProbs);
        var logRatio = LogRatio(current, current - old, counted, ratio);
        var terms = surrogate.Evaluate(new SurrogateInputs(current, old, logRatio, signal, counted, correction));
        var losses = terms.Losses;
        if (weights is not null)
            losses = losses * SurrogateInputs.PerToken(SurrogateInputs.Factors(weights, nameof(weights), logProbs), counted);
        if (correction is not null && !surrogate.UsesImportanceWeights)
            losses = losses * SurrogateInputs.PerToken(correction, counted);
        return (Masked.Counted(losses, counted), terms.Cut ?? zeros_like(counted), logRatio);
    }

    private static Tensor LogRatio(Tensor logProbs, Tensor difference, Tensor counted, RatioLevel level)
    {
        Tensor Spread(Tensor perSequence) => Masked.Counted(perSequence.unsqueeze(1).expand_as(difference), counted);
        return level switch
        {
            RatioLevel.Token => difference,
            RatioLevel.Sequence => Spread(Masked.Mean(difference, counted, 1)),
            RatioLevel.SequenceToken => Spread(Masked.Mean(difference.detach(), counted, 1)) + logProbs - logProbs.detach(),
            RatioLevel.SequenceSum => Spread(difference.sum(1L)),
            _ => throw new ArgumentOutOfRangeException(nameof(level), level, "expected Token, Sequence, SequenceToken or SequenceSum"),
        };
    }
}
