using Microsoft.Extensions.AI;
using PostTrain.Numerics;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>Options of <see cref="ChatRefiner"/>.</summary>
public sealed record ChatRefinerOptions
{
    /// <summary>The message that asks for a revision.</summary>
    /// <value>The default is the template's default.</value>
    public RevisionTemplate Template { get; init; } = new();

    /// <summary>Handed to the client with every message; its own defaults when null.</summary>
    public ChatOptions? Chat { get; init; }

    /// <summary>The longest wait for one answer, above 0.</summary>
    /// <value>The default is 60 s.</value>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tries of one message, for errors and time-outs.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>The most messages at a time, at least 1.</summary>
    /// <value>The default is 8.</value>
    public int Parallelism { get; init; } = 8;

    /// <summary>The clock.</summary>
    /// <value>The default is the system's.</value>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Template);
        if (Timeout <= TimeSpan.Zero) throw new ArgumentOutOfRangeException(nameof(Timeout), Timeout, "Timeout must be above 0");
        Retry.Validated();
        Guard.AtLeast(Parallelism, 1, nameof(Parallelism));
    }
}
