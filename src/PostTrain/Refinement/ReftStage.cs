namespace PostTrain.Refinement;

/// <summary>The stages of reinforced fine-tuning.</summary>
public enum ReftStage
{
    /// <summary>Supervised fine-tuning on the demonstrations.</summary>
    Warmup,

    /// <summary>PPO from the reward of right answers.</summary>
    Reinforcement,
}
