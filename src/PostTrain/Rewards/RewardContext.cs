namespace PostTrain.Rewards;

/// <summary>What a reward may know of the training beside the completions.</summary>
/// <param name="Step">Steps that were done before this one, so 0 in the first.</param>
/// <param name="Steps">How many steps the run has in all; null where that is not known.</param>
public sealed record RewardContext(long Step = 0, long? Steps = null)
{
    /// <summary>Outside a training: step 0 of an unknown number.</summary>
    public static RewardContext None { get; } = new();

    /// <summary>Step / Steps, between 0 and 1; null where the number of steps is not known or 0.</summary>
    public double? Progress => Steps is > 0 ? Math.Clamp((double)Step / Steps.Value, 0, 1) : null;
}
