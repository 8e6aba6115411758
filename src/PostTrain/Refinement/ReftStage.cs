namespace PostTrain.Refinement;

/// <summary>The stages of reinforced fine-tuning.</summary>
public enum ReftStage
{
    /// <summary>Supervised fine-tuning on the demonstrations.</summary>
    Warmup,

    /// <summary>PPO on the reward for correct answers.</summary>
    Reinforcement,
}
