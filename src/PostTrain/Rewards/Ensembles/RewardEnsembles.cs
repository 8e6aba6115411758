using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards;

/// <summary>Combinations of the rewards of several models, so that a policy gains less from the faults of a single one.</summary>
/// <remarks>Coste et al. 2023, arXiv:2310.02743, section 3.3. All are differentiable in the rewards and return the common value if all
/// models agree. The rewards must have the same scale: normalise each first, <c>RunningRewardStatistics</c>.</remarks>
public static class RewardEnsembles
{
    /// <summary>Computes (1/M) Σ_m r_m.</summary>
    /// <param name="rewards">[M,N]: M models (at least 1), N answers.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ArgumentException">The shape is not [M,N], or the type is not floating point.</exception>
    public static Tensor Mean(Tensor rewards)
    {
        Check(rewards);
        return rewards.mean([0L]);
    }

    /// <summary>Computes the worst case (WCO), min_m r_m. Models that tie share the gradient equally.</summary>
    /// <inheritdoc cref="Mean"/>
    public static Tensor WorstCase(Tensor rewards)
    {
        Check(rewards);
        return rewards.amin([0L]);
    }

    /// <summary>Computes the uncertainty-weighted reward (UWO), mean_m r_m − λ·(1/M) Σ_m (r_m − mean)². λ = 0 is <see
    /// cref="Mean"/>.</summary>
    /// <param name="rewards">[M,N]: M models (at least 1), N answers.</param>
    /// <param name="coefficient">λ, at least 0, in units of 1/reward; the paper tries 0.01 to 0.5 for its reward models.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ArgumentException">The shape is not [M,N], or the type is not floating point.</exception>
    public static Tensor UncertaintyWeighted(Tensor rewards, double coefficient)
    {
        Check(rewards);
        Guard.NotNegative(coefficient, nameof(coefficient));
        using var scope = NewDisposeScope();
        var mean = rewards.mean([0L], keepdim: true);
        return (mean.squeeze(0) - (rewards - mean).square().mean([0L]) * coefficient).MoveToOuterDisposeScope();
    }

    private static void Check(Tensor rewards)
    {
        Guard.Rank(rewards, nameof(rewards), 2, "[M,N]");
        Guard.Floating(rewards, nameof(rewards));
        if (rewards.shape[0] == 0)
            throw new ArgumentException($"rewards has shape {Guard.Shape(rewards)}, expected at least one model", nameof(rewards));
    }
}
