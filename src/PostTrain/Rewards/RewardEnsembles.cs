using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards;

/// <summary>One reward from several models' rewards, so that a policy gains less by what only one of them likes.</summary>
/// <remarks>Coste et al. 2023, arXiv:2310.02743, section 3.3. All are differentiable in the rewards and give back their value where all
/// models agree. The models' rewards must have one scale: normalise each first, <c>RunningRewardStatistics</c>.</remarks>
public static class RewardEnsembles
{
    /// <summary>(1/M) Σ_m r_m.</summary>
    /// <param name="rewards">[M,N]: M models (at least 1), N answers.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ArgumentException">The shape is not [M,N], or the type not floating point.</exception>
    public static Tensor Mean(Tensor rewards)
    {
        Check(rewards);
        return rewards.mean([0L]);
    }

    /// <summary>Worst-case optimisation (WCO): min_m r_m. Where models tie, the gradient goes to them in equal parts.</summary>
    /// <inheritdoc cref="Mean"/>
    public static Tensor WorstCase(Tensor rewards)
    {
        Check(rewards);
        return rewards.amin([0L]);
    }

    /// <summary>Uncertainty-weighted optimisation (UWO): mean_m r_m − λ·(1/M) Σ_m (r_m − mean)². λ = 0 is <see cref="Mean"/>.</summary>
    /// <param name="rewards">[M,N]: M models (at least 1), N answers.</param>
    /// <param name="coefficient">λ, at least 0, in units of 1/reward; the paper tries 0.01 to 0.5 for its reward models.</param>
    /// <returns>[N].</returns>
    /// <exception cref="ArgumentException">The shape is not [M,N], or the type not floating point.</exception>
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
