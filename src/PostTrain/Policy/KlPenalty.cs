using PostTrain.Numerics;
using PostTrain.Policy.Estimators;

namespace PostTrain.Policy;

/// <summary>A penalty on the divergence from the reference, in the reward or in the loss, with a fixed or adaptive weight.</summary>
/// <remarks>The control receives the mean of Σ_t (log π_old − log π_ref) over the completions of each step, in nats per completion. The
/// placement of the penalty determines the optimum: with k1 in the reward the Boltzmann distribution π_ref·e^(r/β), with k3 in the loss
/// another one (docs/laws.md).</remarks>
public sealed record KlPenalty
{
    private KlPenalty(KlControl control, bool inReward, KlEstimator estimator)
    {
        ArgumentNullException.ThrowIfNull(control);
        (Control, InReward, Estimator) = (control, inReward, estimator);
    }

    /// <summary>The initial weight and its adaptation.</summary>
    public KlControl Control { get; }

    /// <summary>True if the penalty is subtracted from the reward, token by token; otherwise it is a term of the loss.</summary>
    public bool InReward { get; }

    /// <summary>Estimator of the penalty in the reward.</summary>
    public KlEstimator Estimator { get; }

    /// <summary>Creates r_t − β·kl_t, as <see cref="TokenRewards.WithKl"/>; no gradient flows through it.</summary>
    /// <param name="control">β.</param>
    /// <param name="estimator">k1 by default.</param>
    public static KlPenalty Reward(KlControl control, KlEstimator estimator = KlEstimator.K1) => new(control, true, estimator);

    /// <summary>Creates β·kl in the loss, with the estimator <see cref="PolicyObjective.KlEstimator"/>; the control's β replaces <see
    /// cref="PolicyObjective.Beta"/>.</summary>
    /// <param name="control">β.</param>
    public static KlPenalty Loss(KlControl control) => new(control, false, KlEstimator.K3);
}
