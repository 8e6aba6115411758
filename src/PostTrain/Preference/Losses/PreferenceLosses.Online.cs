using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <content>Losses of completions that the policy has just written.</content>
public static partial class PreferenceLosses
{
    /// <summary>Online DPO: <see cref="Dpo"/> of pairs that the policy wrote and a reward ordered; each pair's first and second completion
    /// stand B rows apart.</summary>
    /// <remarks>Guo et al. 2024, arXiv:2402.04792. The reference is given; <see cref="PairSelection.ByReward"/> says which completion is
    /// which.</remarks>
    /// <param name="logProbs">log π of the completions, [2B]: the first ones of all prompts, then the second ones.</param>
    /// <param name="referenceLogProbs">Under the reference, [2B].</param>
    /// <param name="rewards">[2B].</param>
    /// <param name="options">As for <see cref="Dpo"/>; TRL's IPO here is that of sums. Losses that divide by lengths are not for this
    /// form.</param>
    /// <param name="denominator">What the sum over pairs is divided by; B when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or an odd number of rows.</exception>
    public static PreferenceLoss OnlineDpo(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor rewards,
        DpoObjective? options = null,
        double? denominator = null
    )
    {
        Guard.Rank(logProbs, nameof(logProbs), 1, "[2B]");
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(rewards, nameof(rewards), logProbs, nameof(logProbs));
        using var scope = NewDisposeScope();
        var selection = PairSelection.ByReward(rewards);
        PairLogProbs Pick(Tensor values) => new(values.index_select(0, selection.Chosen), values.index_select(0, selection.Rejected));
        return Outer(Dpo(Pick(logProbs), Pick(referenceLogProbs), options, null, denominator));
    }

    /// <summary>XPO: L = mean[DPO loss + α log π(y_ref)], y_ref the reference's completion of each prompt: optimism, by making what is
    /// known less likely.</summary>
    /// <remarks>
    /// Xie et al. 2024, arXiv:2405.21046, algorithm 1. Each pair is one completion of the policy and one of the reference, ordered by a
    /// judge. TRL's IPO variant takes sums. The pair losses are those of DPO alone.
    /// </remarks>
    /// <param name="policy">Sequence log-probabilities of the ordered pairs, [B] each.</param>
    /// <param name="reference">Under the reference, [B] each.</param>
    /// <param name="explorationLogProbs">log π of the completions that the reference wrote, [B]; differentiable.</param>
    /// <param name="alpha">α of at least 0; 1e-5 by default, as in TRL.</param>
    /// <param name="options">As for <see cref="Dpo"/>.</param>
    /// <param name="denominator">What the sums over pairs are divided by; B when null.</param>
    /// <param name="meanChosenLength">As for <see cref="Dpo"/>.</param>
    public static PreferenceLoss Xpo(
        PairLogProbs policy,
        PairLogProbs reference,
        Tensor explorationLogProbs,
        double alpha = 1e-5,
        DpoObjective? options = null,
        double? denominator = null,
        double? meanChosenLength = null
    )
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(reference);
        Guard.NotNegative(alpha, nameof(alpha));
        Guard.SameShape(explorationLogProbs, nameof(explorationLogProbs), policy.Chosen, "policy.Chosen");
        using var scope = NewDisposeScope();
        var dpo = Dpo(policy, reference, options, null, denominator, meanChosenLength);
        return Outer(dpo with { Loss = dpo.Loss + Mean(explorationLogProbs, denominator) * alpha });
    }

    /// <summary>Nash-MD: L = mean[−(P(y ≻ y′) − ½) log π(y) + β·KL term]: REINFORCE against completions y′ of the mixture policy.</summary>
    /// <remarks>
    /// Munos et al. 2023, arXiv:2312.00886, section 7; ½ is a control variate. y′ comes from the geometric mixture π^{1−a}·π_ref^{a}
    /// (<see cref="GeometricMixture"/>). The KL term's expected gradient is β∇KL(π‖π_ref). Padding does not count.
    /// </remarks>
    /// <param name="logProbs">log π of the policy's completions y, [B,T].</param>
    /// <param name="referenceLogProbs">Under the reference, [B,T].</param>
    /// <param name="winProbabilities">P(y ≻ y′), [B], in 0..1.</param>
    /// <param name="mask">[B,T]; 1 on completion tokens.</param>
    /// <param name="beta">β of at least 0; 0.1 by default.</param>
    /// <param name="perTokenKl">
    /// False (default): a token's log-probability is weighted with the log-ratios from it on, which makes the gradient that of the
    /// sequence's KL. True: with its own log-ratio alone, as in TRL, which leaves out how a token changes what follows it.
    /// </param>
    /// <param name="denominator">What the sum over completions is divided by; B when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static NashMdLoss NashMd(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor winProbabilities,
        Tensor mask,
        double beta = 0.1,
        bool perTokenKl = false,
        double? denominator = null
    )
    {
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
        Guard.NotNegative(beta, nameof(beta));
        ArgumentNullException.ThrowIfNull(winProbabilities);
        if (winProbabilities.dim() != 1 || winProbabilities.shape[0] != logProbs.shape[0])
            throw new ArgumentException(
                $"winProbabilities has shape {Guard.Shape(winProbabilities)}, expected [{logProbs.shape[0]}]",
                nameof(winProbabilities)
            );
        using var scope = NewDisposeScope();
        var counted = Masked.Counted(logProbs, mask);
        var ratios = (counted - Masked.Counted(referenceLogProbs, mask)).detach();
        var weights = perTokenKl ? ratios : ratios.sum(1, keepdim: true) - ratios.cumsum(1) + ratios;
        var scores = (winProbabilities.detach() - 0.5) * counted.sum(1L);
        var losses = (weights * counted).sum(1L) * beta - scores;
        return new NashMdLoss(
            Mean(losses, denominator).MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            scores.detach().clone().MoveToOuterDisposeScope(),
            ratios.sum(1L).MoveToOuterDisposeScope()
        );
    }

    /// <summary>log of the normalised π^{1−a}·π_ref^{a}, token by token: the policy that Nash-MD samples its opponents from.</summary>
    /// <remarks>arXiv:2312.00886, section 7: the mixture of each step's distributions, not of whole sequences' probabilities.</remarks>
    /// <param name="logits">The policy's, [...,V].</param>
    /// <param name="referenceLogits">The reference's, [...,V].</param>
    /// <param name="coefficient">a in 0..1: 0 is the policy, 1 the reference; 0.125 in the paper's best runs.</param>
    /// <returns>Log-probabilities, [...,V].</returns>
    public static Tensor GeometricMixture(Tensor logits, Tensor referenceLogits, double coefficient)
    {
        Guard.Floating(logits, nameof(logits));
        Guard.SameShape(referenceLogits, nameof(referenceLogits), logits, nameof(logits));
        Guard.Fraction(coefficient, nameof(coefficient));
        using var scope = NewDisposeScope();
        return (logits * (1 - coefficient) + referenceLogits * coefficient).log_softmax(-1).MoveToOuterDisposeScope();
    }

    /// <summary>Moves a result of a nested call on to the scope around the caller's.</summary>
    private static PreferenceLoss Outer(PreferenceLoss loss) =>
        new(
            loss.Loss.MoveToOuterDisposeScope(),
            loss.PairLosses.MoveToOuterDisposeScope(),
            loss.ChosenRewards.MoveToOuterDisposeScope(),
            loss.RejectedRewards.MoveToOuterDisposeScope(),
            loss.Margins.MoveToOuterDisposeScope(),
            loss.Accuracy.MoveToOuterDisposeScope()
        );
}
