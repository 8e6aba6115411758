using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.RewardModeling;

namespace PostTrain.Refinement;

/// <summary>Options of reinforcement learning from AI feedback (Lee et al. 2023, arXiv:2309.00267).</summary>
public sealed record RlaifOptions
{
    /// <summary>How completions are drawn and judged.</summary>
    /// <value>The default is one pair a problem.</value>
    public AiFeedbackOptions Feedback { get; init; } = new();

    /// <summary>The reward model's training; it learns from soft labels.</summary>
    /// <value>The default is <see cref="RewardOptions"/>'s: 100 steps.</value>
    public RewardOptions RewardModel { get; init; } = new();

    /// <summary>The policy's training.</summary>
    /// <value>The default is <see cref="Reinforcement"/>.</value>
    public GrpoOptions Policy { get; init; } = Reinforcement;

    /// <summary>Makes the frozen policy that the divergence is taken from; null copies the policy, which must be a <see cref="Decoder"/>
    /// without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }

    /// <summary>REINFORCE with the leave-one-out baseline and a KL penalty in the reward, β = 0.05; the paper takes REINFORCE with a learnt
    /// baseline.</summary>
    public static GrpoOptions Reinforcement { get; } =
        new() { Objective = PolicyObjectives.Rloo(), Kl = KlPenalty.Reward(KlControl.Fixed(0.05)) };
}
