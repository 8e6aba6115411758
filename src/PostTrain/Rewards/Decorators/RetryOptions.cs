using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Number and timing of retries after a failure.</summary>
public sealed record RetryOptions
{
    /// <summary>Number of attempts in total, at least 1. Default 3.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Wait before the second attempt, at least 0; it doubles for each further one. Default 1 s.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Maximum wait, at least 0. Default 30 s.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(30);

    internal RetryOptions Validated()
    {
        Guard.AtLeast(Attempts, 1, nameof(Attempts));
        if (Delay < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(Delay), Delay, "Delay must be at least 0");
        if (LongestDelay < TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(LongestDelay), LongestDelay, "LongestDelay must be at least 0");
        return this;
    }

    /// <summary>Returns the wait before a retry; 1 is the second attempt.</summary>
    internal TimeSpan Wait(int retry)
    {
        var doubled = Delay.TotalMilliseconds * Math.Pow(2, Math.Min(retry - 1, 60));
        return TimeSpan.FromMilliseconds(Math.Min(doubled, LongestDelay.TotalMilliseconds));
    }
}
