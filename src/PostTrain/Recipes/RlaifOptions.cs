using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Refinement;
using PostTrain.RewardModeling;

namespace PostTrain.Recipes;

/// <summary>Options of reinforcement learning from AI feedback (Lee et al. 2023, arXiv:2309.00267).</summary>
public sealed record RlaifOptions : RecipeOptions
{
    /// <summary>Model that learns the labels, one score a sequence, e.g. <c>SequenceClassifier.For(policy.Copy())</c>; it stays with the
    /// caller.</summary>
    public required SequenceClassifier RewardModel { get; init; }

    /// <summary>Options of drawing and judging completions.</summary>
    /// <value>The default is one pair a problem.</value>
    public AiFeedbackOptions Feedback { get; init; } = new();

    /// <summary>Training of the reward model, from soft labels.</summary>
    /// <value>The default is <see cref="RewardOptions"/>'s: 100 steps.</value>
    public RewardOptions RewardTraining { get; init; } = new();

    /// <summary>Training of the policy from the reward model.</summary>
    /// <value>The default is <see cref="Reinforce"/>.</value>
    public GrpoOptions Reinforcement { get; init; } = Reinforce;

    /// <summary>Makes the frozen policy that the divergence is taken from; null copies the policy, which must be a <see cref="Decoder"/>
    /// without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }

    /// <summary>REINFORCE with the leave-one-out baseline and a KL penalty in the reward, β = 0.05; the paper takes REINFORCE with a learnt
    /// baseline.</summary>
    public static GrpoOptions Reinforce { get; } =
        new() { Objective = PolicyObjectives.Rloo(), Kl = KlPenalty.Reward(KlControl.Fixed(0.05)) };
}
