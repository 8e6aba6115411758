using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Supervised;

namespace PostTrain.Refinement;

/// <summary>Options of reinforced fine-tuning (Luong et al. 2024, arXiv:2401.08967).</summary>
public sealed record ReftOptions
{
    /// <summary>Options of the supervised warm-up; the paper's is two epochs for most of its data.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Warmup { get; init; } = new();

    /// <summary>Options of the reinforcement.</summary>
    /// <value>The default is the paper's: β = 0.05, λ = 0.95, γ = 1, clip 0.2 of policy and values, value coefficient 5, two updates per
    /// batch.</value>
    public PpoOptions Reinforcement { get; init; } = Paper;

    /// <summary>The reward.</summary>
    /// <value>The default is the paper's: 1 for the correct answer, 0.1 for another number, 0 for none.</value>
    public IReward Reward { get; init; } = Rewards.Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning);

    /// <summary>Creates the frozen reference policy after the warm-up; null copies the policy, which must be a <see cref="Decoder"/>
    /// without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }

    /// <summary>The paper's PPO settings for natural-language reasoning; for programs it uses β = 0.01.</summary>
    public static PpoOptions Paper { get; } =
        new()
        {
            Kl = KlControl.Fixed(0.05),
            ValueCoefficient = 5,
            UpdatesPerBatch = 2,
        };
}
