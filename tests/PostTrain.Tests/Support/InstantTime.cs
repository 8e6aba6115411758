namespace PostTrain.Tests.Support;

/// <summary>A clock whose timers ring at once, and which remembers what they were set to: no test waits for real time.</summary>
/// <param name="after">What has to be over before a timer rings, such as the beginning of the call that it limits; null for
/// nothing.</param>
internal sealed class InstantTime(Task? after = null) : TimeProvider
{
    private readonly List<TimeSpan> waits = [];

    /// <summary>What the timers were set to, in order.</summary>
    internal IReadOnlyList<TimeSpan> Waits
    {
        get
        {
            lock (waits)
                return [.. waits];
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            lock (waits)
                waits.Add(dueTime);
            _ = (after ?? Task.CompletedTask).ContinueWith(_ => callback(state), TaskScheduler.Default);
        }

        return new Silent();
    }

    private sealed class Silent : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose() { }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
