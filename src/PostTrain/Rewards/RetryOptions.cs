using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>How often and how soon something that failed is tried again.</summary>
public sealed record RetryOptions
{
    /// <summary>Tries in all, at least 1. Default 3.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>The wait before the second try, at least 0; it doubles with each further one. Default 1 s.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait, at least 0. Default 30 s.</summary>
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

    /// <summary>The wait before a try, 1 for the second one.</summary>
    internal TimeSpan Wait(int retry)
    {
        var doubled = Delay.TotalMilliseconds * Math.Pow(2, Math.Min(retry - 1, 60));
        return TimeSpan.FromMilliseconds(Math.Min(doubled, LongestDelay.TotalMilliseconds));
    }
}
