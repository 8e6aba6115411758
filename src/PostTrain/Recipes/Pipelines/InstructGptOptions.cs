using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.RewardModeling;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="InstructGptPipeline"/>.</summary>
public sealed record InstructGptOptions : RecipeOptions
{
    /// <summary>Model that learns the comparisons, one score a sequence, e.g. <c>SequenceClassifier.For(policy.Copy())</c>; it stays with
    /// the caller.</summary>
    public required SequenceClassifier RewardModel { get; init; }

    /// <summary>Supervised stage.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Supervised { get; init; } = new();

    /// <summary>Training of the reward model.</summary>
    /// <value>The default is <see cref="RewardOptions"/>'s: 100 steps.</value>
    public RewardOptions RewardTraining { get; init; } = new();

    /// <summary>Reinforcement. Its reference is the policy after the supervised stage; without <see cref="PpoOptions.Ptx"/> the
    /// demonstrations are mixed in with <see cref="PtxCoefficient"/>.</summary>
    /// <value>The default is PPO with β = 0.02.</value>
    public PpoOptions Reinforcement { get; init; } = new() { Kl = KlControl.Fixed(0.02) };

    /// <summary>γ of PPO-ptx, at least 0; 0 leaves the demonstrations out.</summary>
    /// <value>The default is 1; the paper's 27.8 is a sum over gradients of another scale.</value>
    public double PtxCoefficient { get; init; } = 1;

    /// <summary>Makes the frozen policy that the divergence is taken from; null copies the policy, which must be a <see cref="Decoder"/>
    /// without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }
}
