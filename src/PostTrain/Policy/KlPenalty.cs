using PostTrain.Numerics;
using PostTrain.Policy.Estimators;

namespace PostTrain.Policy;

/// <summary>A penalty on the divergence from the reference, in the reward or in the loss, whose weight is fixed or follows the
/// divergence.</summary>
/// <remarks>The control is told the mean of Σ_t (log π_old − log π_ref) over the completions of each step, in nats a completion. Where the
/// penalty stands decides what is optimal: with k1 in the reward the Boltzmann distribution π_ref·e^(r/β), with k3 in the loss another one
/// (docs/laws.md).</remarks>
public sealed record KlPenalty
{
    private KlPenalty(KlControl control, bool inReward, KlEstimator estimator)
    {
        ArgumentNullException.ThrowIfNull(control);
        (Control, InReward, Estimator) = (control, inReward, estimator);
    }

    /// <summary>The weight at the start and how it goes on.</summary>
    public KlControl Control { get; }

    /// <summary>Whether the reward is less by the penalty, token by token; else the penalty is a term of the loss.</summary>
    public bool InReward { get; }

    /// <summary>How the penalty in the reward is estimated.</summary>
    public KlEstimator Estimator { get; }

    /// <summary>r_t − β·kl_t, as <see cref="TokenRewards.WithKl"/>; no gradient flows through it.</summary>
    /// <param name="control">β.</param>
    /// <param name="estimator">k1 by default.</param>
    public static KlPenalty Reward(KlControl control, KlEstimator estimator = KlEstimator.K1) => new(control, true, estimator);

    /// <summary>β·kl in the loss, estimated as <see cref="PolicyObjective.KlEstimator"/> says; the control's β stands in the place of
    /// <see cref="PolicyObjective.Beta"/>.</summary>
    /// <param name="control">β.</param>
    public static KlPenalty Loss(KlControl control) => new(control, false, KlEstimator.K3);
}
