using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <content>Losses without a reference model.</content>
public static partial class PreferenceLosses
{
    /// <summary>CPO, SimPO and AlphaPO: L = mean loss(β(s_w − s_l) − γ) + λ·NLL(y_w), s a function of the policy's log-probability
    /// alone.</summary>
    /// <remarks>
    /// Papers and formulas stand at the presets of <see cref="CpoObjective"/>. The implicit reward is βs. The likelihood term is the mean
    /// over the given batch's chosen tokens, so it depends on how a batch is split. AlphaPO's exponential goes over into its tangent beyond
    /// e^40.
    /// </remarks>
    /// <param name="policy">Sequence log-probabilities, [B] each; lengths where scores or likelihood divide by them.</param>
    /// <param name="options">Score, loss and likelihood weight.</param>
    /// <param name="denominator">The divisor of the sum over pairs; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or lengths are missing.</exception>
    public static PreferenceLoss Cpo(PairLogProbs policy, CpoObjective options, double? denominator = null)
    {
        Check(policy, options);
        using var scope = NewDisposeScope();
        var likelihood = options.LikelihoodWeight > 0 ? TokenMean(policy.Chosen, policy.ChosenCounts("the likelihood term")) : null;
        return Contrast(policy, options, likelihood, denominator);
    }

    /// <summary>TPO: L = mean loss(β(s_w − s_l) − γ) + λ·NLL(gold), gold a third completion of each prompt.</summary>
    /// <remarks>arXiv:2405.16681: the policy learns the preference of one pair and imitates the best answer. Otherwise as
    /// <see cref="Cpo"/>.</remarks>
    /// <param name="policy">Sequence log-probabilities of the pairs, [B] each.</param>
    /// <param name="goldLogProbs">log π of the gold completions, [G] (as many as pairs, or not).</param>
    /// <param name="goldLengths">Their tokens, [G].</param>
    /// <param name="options"><see cref="CpoObjective.Tpo"/> or <see cref="CpoObjective.TpoL"/>, or a variation.</param>
    /// <param name="denominator">The divisor of the sum over pairs; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or lengths are missing.</exception>
    public static PreferenceLoss Tpo(
        PairLogProbs policy,
        Tensor goldLogProbs,
        Tensor goldLengths,
        CpoObjective options,
        double? denominator = null
    )
    {
        Check(policy, options);
        Guard.Rank(goldLogProbs, nameof(goldLogProbs), 1, "[G]");
        Guard.Floating(goldLogProbs, nameof(goldLogProbs));
        Guard.SameShape(goldLengths, nameof(goldLengths), goldLogProbs, nameof(goldLogProbs));
        using var scope = NewDisposeScope();
        var likelihood = options.LikelihoodWeight > 0 ? TokenMean(goldLogProbs, goldLengths.detach().to_type(goldLogProbs.dtype)) : null;
        return Contrast(policy, options, likelihood, denominator);
    }

    /// <summary>ORPO: L = NLL − λ·mean log σ(log odds(y_w) − log odds(y_l)), odds = p̄/(1 − p̄), p̄ = π(y)^{1/|y|}.</summary>
    /// <remarks>
    /// Hong et al. 2024, arXiv:2403.07691, eq. 6 and 7. NLL is the mean over the chosen completions of −log p̄; pass
    /// <paramref name="likelihood"/> for another one (TRL's covers the prompt, too, and is a mean over tokens). log(1 − p̄) is computed
    /// without cancellation. A completion with log p̄ above −1e-12 counts as −1e-12, without a gradient through its odds, which would be
    /// infinite. The pair losses are λ·(−log σ(·)), without the NLL; rewards are λ·log p̄.
    /// </remarks>
    /// <param name="policy">Sequence log-probabilities, at most 0, and lengths, [B] each.</param>
    /// <param name="lambda">λ above 0; 0.1 by default.</param>
    /// <param name="likelihood">A scalar negative log-likelihood to take in place of the chosen completions' own.</param>
    /// <param name="denominator">The divisor of the sums over pairs; B when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or lengths are missing.</exception>
    public static PreferenceLoss Orpo(PairLogProbs policy, double lambda = 0.1, Tensor? likelihood = null, double? denominator = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        policy.Validate(nameof(policy));
        Guard.Positive(lambda, nameof(lambda));
        if (likelihood is not null)
            Guard.Rank(likelihood, nameof(likelihood), 0, "a scalar");
        using var scope = NewDisposeScope();
        var term = likelihood;
        if (PairCalls.Odds(policy, lambda, denominator) is { IsTaken: true } call)
        {
            var odds = PairCalls.Run(call, (own, _, _) => Orpo(own, lambda, own.Chosen.new_zeros(1).squeeze(0), denominator));
            term ??= Mean(policy.Chosen / policy.Divisors("ORPO").Chosen, denominator).neg();
            return Outer(odds with { Loss = odds.Loss + term });
        }
        var (chosenLengths, rejectedLengths) = policy.Divisors("ORPO");
        var (chosen, rejected) = (policy.Chosen / chosenLengths, policy.Rejected / rejectedLengths);
        var losses = Stable.LogSigmoid(LogOdds(chosen) - LogOdds(rejected)) * -lambda;
        return Result(losses, chosen * lambda, rejected * lambda, denominator, term ?? Mean(chosen, denominator).neg());
    }

    /// <summary>log(p/(1 − p)) of a log-probability below 0.</summary>
    private static Tensor LogOdds(Tensor logProbs)
    {
        var bounded = logProbs.clamp_max(-1e-12);
        return bounded - Stable.Log1mExp(bounded);
    }

    private static PreferenceLoss Contrast(PairLogProbs policy, CpoObjective options, Tensor? likelihood, double? denominator)
    {
        if (PairCalls.Contrast(policy, options, denominator) is { IsTaken: true } call)
        {
            var contrast = PairCalls.Run(call, (own, _, _) => Contrast(own, options, null, denominator));
            return Outer(likelihood is null ? contrast : contrast with { Loss = contrast.Loss + likelihood * options.LikelihoodWeight });
        }
        var (chosen, rejected) = (policy.Chosen, policy.Rejected);
        if (options.LengthNormalized)
        {
            var (chosenLengths, rejectedLengths) = policy.Divisors("a length-normalised loss");
            (chosen, rejected) = (chosen / chosenLengths, rejected / rejectedLengths);
        }
        if (options.RewardShape is var alpha && alpha != 0)
            (chosen, rejected) = (Stable.Expm1(chosen * -alpha).div(-alpha), Stable.Expm1(rejected * -alpha).div(-alpha));
        var losses = options.Loss.Evaluate((chosen - rejected) * options.Beta - options.TargetMargin, options.Beta);
        return Result(
            losses,
            chosen * options.Beta,
            rejected * options.Beta,
            denominator,
            likelihood is null ? null : likelihood * options.LikelihoodWeight
        );
    }

    private static Tensor TokenMean(Tensor logProbs, Tensor lengths) => logProbs.sum().neg() / lengths.sum().clamp_min(1);

    private static void Check(PairLogProbs policy, CpoObjective options)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(options);
        policy.Validate(nameof(policy));
        options.Validate();
    }
}
