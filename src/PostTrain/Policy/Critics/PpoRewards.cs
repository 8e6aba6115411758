using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>Computes token rewards, advantages and returns of judged completions.</summary>
internal static class PpoRewards
{
    /// <summary>Computes r_t = −β·kl_t + token reward, plus the completion's score (minus the penalty if it did not end) at its last token:
    /// [B,T].</summary>
    internal static Tensor Of(JudgedRollouts drawn, Tensor logProbs, Tensor? referenceLogProbs, PpoOptions options, double beta)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var mask = drawn.Rollouts.CompletionMask;
        var scores = tensor(drawn.Scores.Values, device: mask.device).to_type(logProbs.dtype);
        if (options.UnfinishedPenalty > 0)
            scores = TokenRewards.PenalizeUnfinished(
                scores,
                tensor(drawn.Rollouts.Finished.ToArray(), device: mask.device),
                options.UnfinishedPenalty
            );
        var rewards = referenceLogProbs is null
            ? TokenRewards.AtLastToken(scores, mask)
            : TokenRewards.WithKl(logProbs, referenceLogProbs, scores, mask, beta, options.KlEstimator);
        if (drawn.TokenRewards is { } given)
            rewards = rewards + Padded(given, mask).to_type(rewards.dtype);
        return rewards.MoveToOuterDisposeScope();
    }

    /// <summary>Computes generalised advantages and returns.</summary>
    /// <param name="rewards">[B,T].</param>
    /// <param name="states">V before each token and after the last position, [B,T+1].</param>
    /// <param name="finished">True for each completion that ended by itself.</param>
    /// <param name="mask">[B,T].</param>
    /// <param name="options">γ, λ, and the whitening options.</param>
    internal static AdvantageEstimate Advantages(
        Tensor rewards,
        Tensor states,
        IReadOnlyList<bool> finished,
        Tensor mask,
        PpoOptions options
    )
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        if (options.WhitenRewards)
            rewards = Masked.Whiten(rewards, mask, keepMean: true);
        Tensor? rest = null;
        if (options.BootstrapUnfinished)
        {
            // The state after a token has the index after the token's; the mask may have holes, where an environment spoke.
            var after = arange(1, mask.shape[1] + 1, dtype: ScalarType.Int64, device: mask.device);
            var last = (after * (mask != 0)).amax([1], true);
            var behind = states.gather(1, last).squeeze(1).to_type(rewards.dtype);
            rest = behind.masked_fill(tensor(finished.ToArray(), device: mask.device), 0);
        }
        var estimate = Estimators.Advantages.Gae(rewards, states.narrow(1, 0, mask.shape[1]), mask, options.Gamma, options.Lambda, rest);
        var advantages = options.WhitenAdvantages ? Masked.Whiten(estimate.Advantages, mask) : estimate.Advantages;
        return new AdvantageEstimate(advantages.MoveToOuterDisposeScope(), estimate.Returns.MoveToOuterDisposeScope());
    }

    /// <summary>Computes 1 − Var(R − V)/Var(R): 1 for a perfect critic, 0 for a constant one; null if all returns are equal.</summary>
    internal static double? ExplainedVariance(Tensor values, Tensor returns, Tensor mask)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        double all = Masked.Variance(returns, mask).ToDouble();
        return all > 0 ? 1 - Masked.Variance(returns - values.to_type(returns.dtype), mask).ToDouble() / all : null;
    }

    private static Tensor Padded(IReadOnlyList<double[]> rows, Tensor mask)
    {
        long length = mask.shape[1];
        var values = new double[rows.Count * length];
        for (int row = 0; row < rows.Count; row++)
            rows[row].CopyTo(values, row * length);
        return tensor(values, [rows.Count, length], device: mask.device);
    }
}
