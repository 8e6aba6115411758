using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Preference.Losses;

/// <summary>Squared losses that pull the implicit reward of a completion to a target.</summary>
/// <remarks>Each is the mean over completions; no gradient flows through references and targets; no completion gives 0.</remarks>
public static class RegressionLosses
{
    /// <summary>SPPO: L = mean (D − (P(y ≻ π) − ½)/β)², D = log π(y) − log π_ref(y).</summary>
    /// <remarks>
    /// Wu et al. 2024, arXiv:2405.00675, with η = 1/β, and the log-partition set to ½η as in the paper. π_ref is the policy of the
    /// iteration's start. With P = 1 for the chosen and 0 for the rejected completion the two losses of a pair add up to
    /// <see cref="DpoLoss.SppoHard"/>.
    /// </remarks>
    /// <param name="logProbs">Sequence log-probabilities, [B].</param>
    /// <param name="referenceLogProbs">[B].</param>
    /// <param name="winProbabilities">P(y ≻ π), the share of the policy's completions that this one beats, [B].</param>
    /// <param name="beta">β above 0; 0.001 by default, the paper's η = 1000.</param>
    /// <param name="denominator">What the sum is divided by; B when null.</param>
    public static UnpairedLoss Sppo(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor winProbabilities,
        double beta = 1e-3,
        double? denominator = null
    )
    {
        Check(logProbs, referenceLogProbs, winProbabilities, nameof(winProbabilities), beta);
        using var scope = NewDisposeScope();
        var ratios = logProbs - referenceLogProbs.detach();
        return Result((ratios - (winProbabilities.detach() - 0.5) / beta).square(), ratios * beta, denominator);
    }

    /// <summary>A*-PO: L = mean (β₂D − (r − V*))²: the implicit reward is regressed on the optimal advantage.</summary>
    /// <remarks>Brantley et al. 2025, arXiv:2505.20686. One completion of each prompt from the policy; V* comes from the reference's
    /// completions, see <see cref="OptimalValue"/>.</remarks>
    /// <param name="logProbs">Sequence log-probabilities, [B].</param>
    /// <param name="referenceLogProbs">[B].</param>
    /// <param name="advantages">r − V*, [B].</param>
    /// <param name="beta">β₂ above 0; 0.001 by default.</param>
    /// <param name="denominator">What the sum is divided by; B when null.</param>
    public static UnpairedLoss OptimalAdvantage(
        Tensor logProbs,
        Tensor referenceLogProbs,
        Tensor advantages,
        double beta = 1e-3,
        double? denominator = null
    )
    {
        Check(logProbs, referenceLogProbs, advantages, nameof(advantages), beta);
        using var scope = NewDisposeScope();
        var rewards = (logProbs - referenceLogProbs.detach()) * beta;
        return Result((rewards - advantages.detach()).square(), rewards, denominator);
    }

    /// <summary>V* = β₁ log mean exp(r/β₁) of a prompt's rewards under the reference: the value of the RLHF optimum, estimated from
    /// samples.</summary>
    /// <param name="rewards">[B,N], N completions of the reference for each prompt.</param>
    /// <param name="beta">β₁ above 0; the mean for β₁ → ∞, the maximum for β₁ → 0.</param>
    /// <returns>[B], without a gradient.</returns>
    public static Tensor OptimalValue(Tensor rewards, double beta)
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[B,N]");
        Guard.Floating(rewards, nameof(rewards));
        Guard.Positive(beta, nameof(beta));
        Guard.AtLeast(rewards.shape[1], 1, "rewards.shape[1]");
        using var scope = NewDisposeScope();
        return ((rewards.detach() / beta).logsumexp(1) - Math.Log(rewards.shape[1])).mul(beta).MoveToOuterDisposeScope();
    }

    private static void Check(Tensor logProbs, Tensor referenceLogProbs, Tensor target, string targetName, double beta)
    {
        Guard.Rank(logProbs, nameof(logProbs), 1, "[B]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(referenceLogProbs, nameof(referenceLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(target, targetName, logProbs, nameof(logProbs));
        Guard.Positive(beta, nameof(beta));
    }

    private static UnpairedLoss Result(Tensor losses, Tensor rewards, double? denominator)
    {
        var loss = PreferenceLosses.Mean(losses, denominator);
        return new UnpairedLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            rewards.detach().clone().MoveToOuterDisposeScope()
        );
    }
}
