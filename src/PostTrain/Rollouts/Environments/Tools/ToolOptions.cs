using PostTrain.Numerics;

namespace PostTrain.Rollouts.Environments;

/// <summary>Bounds of a <see cref="ToolEnvironment"/>.</summary>
public sealed record ToolOptions
{
    /// <summary>Time for a call, above 0. After it the call is left behind, and its result is an error.</summary>
    /// <value>The default is 5 seconds. <see cref="MaxCallsPerTurn"/> such calls should fit into
    /// <see cref="EnvironmentOptions.CallTimeout"/>.</value>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The most calls of a turn that are made, at least 1; the others have an error as their result.</summary>
    /// <value>The default is 8.</value>
    public int MaxCallsPerTurn { get; init; } = 8;

    /// <summary>The most characters of a result, at least 1; longer ones are cut.</summary>
    /// <value>The default is 4000.</value>
    public int MaxResultCharacters { get; init; } = 4000;

    internal void Validate()
    {
        if (CallTimeout <= TimeSpan.Zero || CallTimeout.TotalMilliseconds > int.MaxValue)
            throw new ArgumentOutOfRangeException(
                nameof(CallTimeout),
                CallTimeout,
                $"CallTimeout must be above 0 and at most {TimeSpan.FromMilliseconds(int.MaxValue)}"
            );
        Guard.AtLeast(MaxCallsPerTurn, 1, nameof(MaxCallsPerTurn));
        Guard.AtLeast(MaxResultCharacters, 1, nameof(MaxResultCharacters));
    }
}
