using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Supervised;

namespace PostTrain.Recipes;

/// <summary>Options of <see cref="R1Pipeline"/>.</summary>
public sealed record R1PipelineOptions : RecipeOptions
{
    /// <summary>Cold start: supervised fine-tuning on the given demonstrations; null leaves it out, as R1-Zero does.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions? ColdStart { get; init; } = new();

    /// <summary>First reinforcement, of reasoning.</summary>
    /// <value>The default is GRPO.</value>
    public GrpoOptions Reasoning { get; init; } = new();

    /// <summary>Rejection sampling from the reinforced policy, and the supervised fine-tuning of the first policy on what was kept;
    /// null leaves it out, as R1-Zero does. <see cref="SelfTrainingOptions.Rounds"/> is not used: R1 does one.</summary>
    /// <value>The default is that of <see cref="SelfTrainingOptions"/>.</value>
    public SelfTrainingOptions? Rejection { get; init; } = new();

    /// <summary>Second reinforcement; null leaves it out.</summary>
    /// <value>The default is GRPO.</value>
    public GrpoOptions? Alignment { get; init; } = new();

    /// <summary>Judges the completions of the second reinforcement: rules and learned rewards together, as by
    /// <c>Reward.Weighted</c>; null takes the reward of the first.</summary>
    /// <value>The default is null.</value>
    public IReward? AlignmentReward { get; init; }

    /// <summary>Smaller model with the policy's tokenizer that is trained on what the policy was trained on after rejection sampling
    /// (section 2.4 of the paper); null leaves the distillation out.</summary>
    /// <value>The default is null.</value>
    public CausalLm? Student { get; init; }

    /// <summary>Supervised fine-tuning of the <see cref="Student"/>.</summary>
    /// <value>The default is <see cref="SftOptions"/>'s: 100 steps.</value>
    public SftOptions Distillation { get; init; } = new();

    /// <summary>Makes the frozen policy that the divergence of a reinforcement is taken from, where its options ask for one; null copies
    /// the policy at the beginning of the stage, which must be a <see cref="Decoder"/> without adapters.</summary>
    /// <value>The default is null.</value>
    public Func<CausalLm, ReferencePolicy>? Reference { get; init; }
}
