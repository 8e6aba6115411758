using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of reinforced fine-tuning (Luong et al. 2024, arXiv:2401.08967).</summary>
public sealed record ReftOptions : RecipeOptions
{
    /// <summary>Supervised warm-up; the paper's is two epochs for most of its data.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Warmup { get; init; } = new();

    /// <summary>Reinforcement. Its critic is a head on the policy's body where none is given.</summary>
    /// <value>The default is the paper's: β = 0.05, λ = 0.95, γ = 1, clip 0.2 of policy and values, value coefficient 5, two updates on a
    /// batch.</value>
    public PpoOptions Reinforcement { get; init; } = Paper;

    /// <summary>Makes the frozen policy that the divergence is taken from, after the warm-up; null copies the policy, which must be a
    /// <see cref="Decoder"/> without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }

    /// <summary>The paper's settings of PPO for natural-language reasoning; for programs it has β = 0.01.</summary>
    public static PpoOptions Paper { get; } =
        new()
        {
            Kl = KlControl.Fixed(0.05),
            ValueCoefficient = 5,
            UpdatesPerBatch = 2,
        };
}
