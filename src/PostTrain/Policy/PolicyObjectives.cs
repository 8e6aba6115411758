using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;

namespace PostTrain.Policy;

/// <summary>The named methods as values of one composition. Change a part with <c>with</c>: <c>PolicyObjectives.Grpo() with { Beta = 0.04
/// }</c>.</summary>
public static class PolicyObjectives
{
    /// <summary>PPO (arXiv:1707.06347): token ratio, clip 0.2, token mean; advantages of <see cref="Advantages.Gae"/>, KL in the
    /// reward.</summary>
    public static PolicyObjective Ppo(ClipRange? clip = null) => new() { Name = "PPO", Surrogate = PolicySurrogate.Clip(clip ?? 0.2) };

    /// <summary>GRPO (DeepSeekMath, arXiv:2402.03300): rewards scaled in their group, clip 0.2, sequence mean; the paper's β is 0.04, here
    /// as in TRL 0.</summary>
    public static PolicyObjective Grpo(ClipRange? clip = null) =>
        new()
        {
            Name = "GRPO",
            Advantage = AdvantageMethod.GroupScaled,
            Surrogate = PolicySurrogate.Clip(clip ?? 0.2),
            Aggregation = LossAggregation.SequenceMean,
        };

    /// <summary>Dr. GRPO (arXiv:2503.20783): no division by a deviation or a length; the constant is the most tokens a completion may
    /// have.</summary>
    public static PolicyObjective DrGrpo(int maxTokens, ClipRange? clip = null) =>
        new()
        {
            Name = "Dr. GRPO",
            Advantage = AdvantageMethod.GroupCentred,
            Surrogate = PolicySurrogate.Clip(clip ?? 0.2),
            Aggregation = LossAggregation.SequenceSum(maxTokens),
        };

    /// <summary>BNPO as in TRL: GRPO with the token mean of the batch at hand.</summary>
    public static PolicyObjective Bnpo(ClipRange? clip = null) =>
        Grpo(clip) with
        {
            Name = "BNPO",
            Aggregation = LossAggregation.TokenMean,
        };

    /// <summary>DAPO (arXiv:2503.14476): clip [0.2, 0.28], token mean over the whole batch (pass its denominator), no KL; see also
    /// <see cref="TokenRewards.Overlong"/> and <see cref="CompletionMasks.WithoutUnfinished"/>.</summary>
    public static PolicyObjective Dapo(ClipRange? clip = null) => Bnpo(clip ?? new ClipRange(0.2, 0.28)) with { Name = "DAPO" };

    /// <summary>GSPO (arXiv:2507.18071): length-normalised sequence ratio, clip [3e-4, 4e-4], sequence mean.</summary>
    public static PolicyObjective Gspo(ClipRange? clip = null) =>
        Grpo(clip ?? new ClipRange(3e-4, 4e-4)) with
        {
            Name = "GSPO",
            Ratio = RatioLevel.Sequence,
        };

    /// <summary>GSPO-token: GSPO's ratio with each token's gradient, for advantages that differ within a sequence.</summary>
    public static PolicyObjective GspoToken(ClipRange? clip = null) =>
        Gspo(clip) with
        {
            Name = "GSPO-token",
            Ratio = RatioLevel.SequenceToken,
        };

    /// <summary>CISPO (arXiv:2506.13585): capped weight on every token's log-prob, token mean over the whole batch.</summary>
    public static PolicyObjective Cispo(double most = 5) => Bnpo() with { Name = "CISPO", Surrogate = PolicySurrogate.Cispo(most) };

    /// <summary>SAPO (arXiv:2511.20347): soft gate, sequence mean.</summary>
    public static PolicyObjective Sapo(double positive = 1, double negative = 1.05) =>
        Grpo() with
        {
            Name = "SAPO",
            Surrogate = PolicySurrogate.Sapo(positive, negative),
        };

    /// <summary>GMPO (arXiv:2507.20673): geometric mean of the ratios, bounds ±0.4 in logarithms, sequence mean.</summary>
    public static PolicyObjective Gmpo(ClipRange? clip = null) =>
        Grpo() with
        {
            Name = "GMPO",
            Surrogate = PolicySurrogate.Gmpo(clip ?? 0.4),
        };

    /// <summary>LUSPO (arXiv:2602.05261): GSPO, each sequence's loss times its length.</summary>
    public static PolicyObjective Luspo(ClipRange? clip = null) =>
        Gspo(clip) with
        {
            Name = "LUSPO",
            Aggregation = LossAggregation.SequenceSum(),
        };

    /// <summary>VESPO (arXiv:2602.10693): a smooth weight of the whole sequence's ratio, token mean over the whole batch.</summary>
    public static PolicyObjective Vespo(VespoOptions? options = null) =>
        Bnpo() with
        {
            Name = "VESPO",
            Surrogate = PolicySurrogate.Vespo(options),
        };

    /// <summary>RLOO (arXiv:2402.14740): leave-one-out baseline, ratio of whole sequences, clip 0.2, mean over sequences; KL in the
    /// reward.</summary>
    public static PolicyObjective Rloo(ClipRange? clip = null) =>
        Grpo(clip) with
        {
            Name = "RLOO",
            Advantage = AdvantageMethod.LeaveOneOut,
            Ratio = RatioLevel.SequenceSum,
        };

    /// <summary>REINFORCE++ (arXiv:2501.03262): clipped token ratio, token mean; advantages of
    /// <see cref="Advantages.ReinforcePlusPlus"/>.</summary>
    public static PolicyObjective ReinforcePlusPlus(ClipRange? clip = null) =>
        Ppo(clip) with
        {
            Name = "REINFORCE++",
            Advantage = AdvantageMethod.ReinforcePlusPlus(),
        };

    /// <summary>REINFORCE: −A·log π, mean over sequences of token sums; rewards as they are.</summary>
    public static PolicyObjective Reinforce() =>
        new()
        {
            Name = "REINFORCE",
            Advantage = AdvantageMethod.Reward,
            Surrogate = PolicySurrogate.PolicyGradient,
            Aggregation = LossAggregation.SequenceSum(),
        };

    /// <summary>ReMax (arXiv:2310.10505) and self-critical sequence training (arXiv:1612.00563): REINFORCE with the reward of the greedy
    /// completion as baseline.</summary>
    public static PolicyObjective ReMax() => Reinforce() with { Name = "ReMax", Advantage = AdvantageMethod.SelfCritical };

    /// <summary>GPG (arXiv:2504.02546): plain policy gradient on centred rewards that make up for groups without a gradient, token
    /// mean.</summary>
    public static PolicyObjective Gpg() =>
        new()
        {
            Name = "GPG",
            Advantage = AdvantageMethod.GroupPolicyGradient,
            Surrogate = PolicySurrogate.PolicyGradient,
        };

    /// <summary>DPPO-Binary-TV (arXiv:2602.04879): a trust region in probability instead of the clip.</summary>
    public static PolicyObjective Dppo(ClipRange? range = null) =>
        Bnpo() with
        {
            Name = "DPPO",
            Surrogate = PolicySurrogate.DppoTv(range ?? 0.2),
        };
}
