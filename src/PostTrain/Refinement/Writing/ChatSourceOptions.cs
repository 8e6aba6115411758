using Microsoft.Extensions.AI;
using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Refinement.Writing;

/// <summary>Options of a chat service as a text source.</summary>
public sealed record ChatSourceOptions
{
    /// <summary>Maximum number of concurrent questions, at least 1. Default 8.</summary>
    public int Parallelism { get; init; } = 8;

    /// <summary>Time limit of one reply, above 0. Default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Attempts per question, for errors and time-outs. The last exception reaches the caller.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>Options passed to the client with every question; the request fills in unset ones. Default null.</summary>
    public ChatOptions? Chat { get; init; }

    /// <summary>The clock. The default is the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal void Check()
    {
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
        if (Timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0");
        Retry.Validated();
    }
}
