namespace PostTrain.Policy.Estimators;

/// <summary>What the centred rewards of a group are divided by.</summary>
public enum GroupScaling
{
    /// <summary>The group's own standard deviation (GRPO).</summary>
    Group,

    /// <summary>The standard deviation over the whole batch.</summary>
    Batch,

    /// <summary>Nothing (Dr. GRPO): easy and hard prompts weigh the same.</summary>
    None,
}
