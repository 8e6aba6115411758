namespace PostTrain.Rewards;

/// <summary>The training progress, available to rewards.</summary>
/// <param name="Step">Number of completed steps; 0 in the first step.</param>
/// <param name="Steps">Total number of steps of the run; null if unknown.</param>
public sealed record RewardContext(long Step = 0, long? Steps = null)
{
    /// <summary>The context outside of training: step 0 of an unknown number.</summary>
    public static RewardContext None { get; } = new();

    /// <summary>Step / Steps, between 0 and 1; null if the number of steps is unknown or 0.</summary>
    public double? Progress => Steps is > 0 ? Math.Clamp((double)Step / Steps.Value, 0, 1) : null;
}
