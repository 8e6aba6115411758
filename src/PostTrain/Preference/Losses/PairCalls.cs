using PostTrain.Numerics;
using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

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
