using Microsoft.Extensions.AI;
using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Refinement.Writing;

/// <summary>How a chat service is asked for texts.</summary>
public sealed record ChatSourceOptions
{
    /// <summary>The most questions at a time, at least 1. Default 8.</summary>
    public int Parallelism { get; init; } = 8;

    /// <summary>The longest wait for one answer, above 0. Default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tries of one question, for errors and time-outs. What the last one throws reaches the caller.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>Handed to the client with every question; what it leaves open the request says. Default null.</summary>
    public ChatOptions? Chat { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal void Check()
    {
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
        if (Timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0");
        Retry.Validated();
    }
}
