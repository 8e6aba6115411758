using Microsoft.Extensions.AI;
using PostTrain.Numerics;

namespace PostTrain.Rewards.Judges;

/// <summary>How a judge is asked.</summary>
public record JudgeOptions
{
    /// <summary>The name in the log. Default <c>judge</c>.</summary>
    public string Name { get; init; } = "judge";

    /// <summary>What is to be judged by, put into the question.</summary>
    /// <value>Helpfulness, correctness and clarity by default.</value>
    public string Criteria { get; init; } = "Judge helpfulness, correctness and clarity. Longer is not better.";

    /// <summary>Answers that are averaged for each question, at least 1. Default 1.</summary>
    public int Samples { get; init; } = 1;

    /// <summary>The longest wait for one answer. Default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tries of one question, for errors, time-outs and answers without a verdict.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>The most questions at a time, at least 1. Default 8.</summary>
    public int Parallelism { get; init; } = 8;

    /// <summary>Handed to the client with every question; its own defaults when null.</summary>
    public ChatOptions? Chat { get; init; }

    /// <summary>The clock. Default: the system's.</summary>
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
