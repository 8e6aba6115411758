namespace PostTrain.Policy.Estimators;

/// <summary>The divisor of the centred rewards of a group.</summary>
public enum GroupScaling
{
    /// <summary>The group's own standard deviation (GRPO).</summary>
    Group,

    /// <summary>The standard deviation over the whole batch.</summary>
    Batch,

    /// <summary>No division (Dr. GRPO): easy and hard prompts have the same weight.</summary>
    None,
}
