using PostTrain.Numerics;

namespace PostTrain.Rollouts.Environments;

/// <summary>An environment and its budgets. <see cref="SamplingOptions.MaxNewTokens"/> bounds a whole completion, observations
/// included.</summary>
/// <param name="Environment">Answers the policy's turns.</param>
public sealed record EnvironmentOptions(IEnvironment Environment)
{
    /// <summary>The most turns of the policy in a completion; at least 1. A completion whose environment has more to say after them ends
    /// with <see cref="RolloutFinish.Turns"/>.</summary>
    /// <value>The default is 4.</value>
    public int MaxTurns { get; init; } = 4;

    /// <summary>The most tokens of a turn, at least 1; the environment sees a turn that was cut.</summary>
    /// <value>The default is null: the tokens that the completion has left.</value>
    public int? MaxTurnTokens { get; init; }

    /// <summary>Time for the answer to a turn, above 0. After it the call is left behind, and the completion ends with
    /// <see cref="RolloutFinish.Timeout"/>.</summary>
    /// <value>The default is one minute.</value>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The most calls of the environment at a time, at least 1.</summary>
    /// <value>The default is 16.</value>
    public int MaxConcurrentCalls { get; init; } = 16;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Environment);
        Guard.AtLeast(MaxTurns, 1, nameof(MaxTurns));
        if (MaxTurnTokens is { } tokens)
            Guard.AtLeast(tokens, 1, nameof(MaxTurnTokens));
        if (CallTimeout <= TimeSpan.Zero || CallTimeout.TotalMilliseconds > int.MaxValue)
            throw new ArgumentOutOfRangeException(
                nameof(CallTimeout),
                CallTimeout,
                $"CallTimeout must be above 0 and at most {TimeSpan.FromMilliseconds(int.MaxValue)}"
            );
        Guard.AtLeast(MaxConcurrentCalls, 1, nameof(MaxConcurrentCalls));
    }
}
