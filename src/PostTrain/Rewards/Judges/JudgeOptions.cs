using Microsoft.Extensions.AI;
using PostTrain.Numerics;

namespace PostTrain.Rewards.Judges;

/// <summary>Options of a judge's questions.</summary>
public record JudgeOptions
{
    /// <summary>The name in the log. Default <c>judge</c>.</summary>
    public string Name { get; init; } = "judge";

    /// <summary>The criteria in the question.</summary>
    /// <value>Helpfulness, correctness and clarity by default.</value>
    public string Criteria { get; init; } = "Judge helpfulness, correctness and clarity. Longer is not better.";

    /// <summary>Number of replies that are averaged for each question, at least 1. Default 1.</summary>
    public int Samples { get; init; } = 1;

    /// <summary>Time limit of one reply. Default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Attempts per question, for errors, time-outs and replies without a verdict.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>Maximum number of concurrent questions, at least 1. Default 8.</summary>
    public int Parallelism { get; init; } = 8;

    /// <summary>Options passed to the client with every question; null for the client's defaults.</summary>
    public ChatOptions? Chat { get; init; }

    /// <summary>The clock. The default is the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Name);
        Guard.AtLeast(Samples, 1, nameof(Samples));
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
        if (Timeout <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0");
        Retry.Validated();
    }
}
