using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Preference.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Losses of preference pairs: of two completions of a prompt, the chosen one is to score higher than the rejected one.</summary>
/// <remarks>
/// Each is the mean over pairs of a per-pair loss. <c>denominator</c> is the number of pairs of the whole batch where the given ones are a
/// part of it, so that gradients of parts add up to that of the whole. No gradient flows through a reference. No pair gives 0. All return
/// fresh tensors; the caller owns them.
/// </remarks>
public static partial class PreferenceLosses
{
    /// <summary>DPO and its family: L = mean loss(s_w, s_l), s = link(D), D = log π(y) − log π_ref(y); by default −log σ(β(D_w −
    /// D_l)).</summary>
    /// <remarks>
    /// Rafailov et al. 2023, arXiv:2305.18290, eq. 7; the other members stand at <see cref="DpoLoss"/>, <see cref="FDivergence"/> and
    /// <see cref="DpoObjective"/>. dL/d log π(y_w) = −βσ(−h)/B, the rejected one's the opposite. The implicit reward is βD. log 2 as long
    /// as policy and reference agree. A constant added to the log-probabilities of policy and reference alike changes nothing.
    /// </remarks>
    /// <param name="policy">Sequence log-probabilities under the policy, [B] each.</param>
    /// <param name="reference">Under the reference; null for none (D = log π).</param>
    /// <param name="options">β = 0.1 and the logistic loss when null.</param>
    /// <param name="weights">[B], a factor of each pair's loss without a gradient, such as <see cref="PreferenceWeights.Wpo(PairScores)"/>;
    /// 1 when null.</param>
    /// <param name="denominator">The divisor of the sum over pairs; B when null.</param>
    /// <param name="meanChosenLength">Mean tokens of the whole batch's chosen completions where the pairs are a part of it, for <see
    /// cref="DpoLoss.ChosenLikelihood"/>; above 0; their own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a loss needs lengths that are not there.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static PreferenceLoss Dpo(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective? options = null,
        Tensor? weights = null,
        double? denominator = null,
        double? meanChosenLength = null
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        if (meanChosenLength is { } length)
            Guard.Positive(length, nameof(meanChosenLength));
        options ??= new DpoObjective();
        options.Validate();
        policy.Validate(nameof(policy));
        reference?.Validate(nameof(reference));
        if (reference is not null)
            Guard.SameShape(reference.Chosen, "reference.Chosen", policy.Chosen, "policy.Chosen");
        if (weights is not null)
            Guard.SameShape(weights, nameof(weights), policy.Chosen, "policy.Chosen");
        if (PairCalls.Dpo(policy, reference, options, weights, denominator, meanChosenLength) is { IsTaken: true } call)
            return PairCalls.Run(call, (own, anchors, factors) => Dpo(own, anchors, options, factors, denominator, meanChosenLength));

        using var scope = NewDisposeScope();
        // D = log π(y) − log π_ref(y); the rewards are βD.
        var anchor = reference is null ? null : new PairLogProbs(reference.Chosen.detach(), reference.Rejected.detach());
        var (chosenRatios, rejectedRatios) = anchor is null
            ? (policy.Chosen, policy.Rejected)
            : (policy.Chosen - anchor.Chosen, policy.Rejected - anchor.Rejected);
        var (chosenRewards, rejectedRewards) = (chosenRatios * options.Beta, rejectedRatios * options.Beta);
        if (options.ReferenceFree)
            (anchor, chosenRatios, rejectedRatios) = (null, policy.Chosen, policy.Rejected);

        // s = f′(e^D), less DPO-Positive's λ·max(0, −D_w).
        var (chosen, rejected) = (options.Divergence.Score(chosenRatios), options.Divergence.Score(rejectedRatios));
        if (options.PositivePenalty > 0)
            chosen = chosen - options.PositivePenalty * chosenRatios.neg().relu();

        // The loss of s_w and s_l: −log σ(β(s_w − s_l)) by default.
        var scores = new DpoScores(policy, anchor, chosenRatios, rejectedRatios, chosen, rejected) { MeanChosenLength = meanChosenLength };
        var losses = options.Loss.PerPair(scores, options.Beta);
        if (weights is not null)
            losses = losses * weights.detach();
        return Result(losses, chosenRewards, rejectedRewards, denominator);
    }

    /// <summary>The result record, moved to the scope around the caller's; <paramref name="penalty"/> is a scalar term beside the
    /// mean.</summary>
    private static PreferenceLoss Result(
        Tensor losses,
        Tensor chosenRewards,
        Tensor rejectedRewards,
        double? denominator,
        Tensor? penalty = null
    )
    {
        var loss = Mean(losses, denominator);
        if (penalty is not null)
            loss = loss + penalty;
        using var _ = no_grad();
        var chosen = chosenRewards.detach().clone();
        var rejected = rejectedRewards.detach().clone();
        var margins = chosen - rejected;
        var accuracy = Mean((margins > 0).to_type(margins.dtype), null);
        return new PreferenceLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            chosen.MoveToOuterDisposeScope(),
            rejected.MoveToOuterDisposeScope(),
            margins.MoveToOuterDisposeScope(),
            accuracy.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Σ/denominator, the number of rows when null, and 0 for no rows.</summary>
    internal static Tensor Mean(Tensor losses, double? denominator)
    {
        if (denominator is { } given)
            Guard.Positive(given, nameof(denominator));
        using var scope = NewDisposeScope();
        return losses.sum().div(denominator ?? Math.Max(losses.shape[0], 1)).MoveToOuterDisposeScope();
    }
}

/// <summary>The losses of pairs as calls of <see cref="PairPass"/>.</summary>
internal static class PairCalls
{
    /// <summary><see cref="PreferenceLosses.Dpo"/>; null where loss or divergence have no closed form.</summary>
    internal static PairCall? Dpo(
        PairLogProbs policy,
        PairLogProbs? reference,
        DpoObjective options,
        Tensor? weights,
        double? denominator,
        double? meanChosenLength
    ) =>
        options.Loss.Form is { } form && options.Divergence.Form is { } link
            ? Of(policy, form, link, denominator) with
            {
                ChosenAnchor = reference?.Chosen,
                RejectedAnchor = reference?.Rejected,
                Weights = weights,
                Beta = options.Beta,
                MeanChosenLength = meanChosenLength,
                PositivePenalty = options.PositivePenalty,
                ReferenceFree = options.ReferenceFree,
                RewardFactor = options.Beta,
            }
            : null;

    /// <summary>The contrast of <see cref="PreferenceLosses.Cpo"/>; null where the loss has no closed form.</summary>
    internal static PairCall? Contrast(PairLogProbs policy, CpoObjective options, double? denominator) =>
        options.Loss.Margin is { } margin
            ? Of(policy, new MarginPairForm(margin, false, options.TargetMargin), Score(options.RewardShape), denominator) with
            {
                Beta = options.Beta,
                NormalizesFirst = options.LengthNormalized,
                RewardsAreScores = true,
                RewardFactor = options.Beta,
            }
            : null;

    /// <summary>The odds of <see cref="PreferenceLosses.Orpo"/>.</summary>
    internal static PairCall Odds(PairLogProbs policy, double lambda, double? denominator) =>
        Of(policy, new MixedPairForm([(lambda, new MarginPairForm(new LogisticMargin(1, 0), false))]), new OddsScore(), denominator) with
        {
            NormalizesFirst = true,
            RewardFactor = lambda,
        };

    /// <summary>The loss of a call with its graph, which the reference stands for where more than a first derivative is wanted.</summary>
    /// <param name="call">A call that is taken.</param>
    /// <param name="reference">The loss by tensor operators of the policy's and the anchor's log-probs and the weights.</param>
    internal static PreferenceLoss Run(PairCall call, Func<PairLogProbs, PairLogProbs?, Tensor?, PreferenceLoss> reference)
    {
        using var scope = NewDisposeScope();
        var found = PairPass.Run(call, rewards: true);
        var (loss, losses) = LossOperator.Run(
            found.Loss,
            found.Losses,
            [found.ChosenGradient, found.RejectedGradient],
            [call.Chosen, call.Rejected, call.ChosenLengths, call.RejectedLengths, call.ChosenAnchor, call.RejectedAnchor, call.Weights],
            own =>
            {
                var again = reference(
                    new PairLogProbs(own[0]!, own[1]!, own[2], own[3]),
                    own[4] is null ? null : new PairLogProbs(own[4]!, own[5]!),
                    own[6]
                );
                return (again.Loss, again.PairLosses);
            }
        );
        var (chosen, rejected, margins) = found.Rewards!.Value;
        return new PreferenceLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            chosen.MoveToOuterDisposeScope(),
            rejected.MoveToOuterDisposeScope(),
            margins.MoveToOuterDisposeScope(),
            tensor(found.Accuracy, dtype: losses.dtype).MoveToOuterDisposeScope()
        );
    }

    private static PairCall Of(PairLogProbs policy, PairForm form, ScoreForm link, double? denominator)
    {
        if (denominator is { } given)
            Guard.Positive(given, nameof(denominator));
        return new PairCall(policy.Chosen, policy.Rejected, form, link)
        {
            ChosenLengths = policy.ChosenLengths,
            RejectedLengths = policy.RejectedLengths,
            Divisor = denominator ?? Math.Max(policy.Chosen.size(0), 1),
        };
    }

    // (e^(−αl) − 1)/(−α); l for α = 0.
    private static ScoreForm Score(double alpha) => alpha == 0 ? new RatioScore() : new AlphaScore(1 - alpha);
}
