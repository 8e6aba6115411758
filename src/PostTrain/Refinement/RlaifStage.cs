namespace PostTrain.Refinement;

/// <summary>The stages of reinforcement learning from AI feedback.</summary>
public enum RlaifStage
{
    /// <summary>The policy's completions are judged in pairs.</summary>
    Feedback,

    /// <summary>A reward model learns the judge's labels.</summary>
    RewardModel,

    /// <summary>The policy is trained on the reward model.</summary>
    Policy,
}
