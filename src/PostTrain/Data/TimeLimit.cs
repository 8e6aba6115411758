namespace PostTrain.Data;

/// <summary>Time limits for asynchronous calls. The clock is an argument, so tests need not wait.</summary>
internal static class TimeLimit
{
    /// <summary>Returns the call's result, or throws a <see cref="TimeoutException"/> after the limit. A call that ignores its token or
    /// blocks its thread is abandoned and its result dropped.</summary>
    internal static async Task<T> WithinAsync<T>(
        Func<CancellationToken, Task<T>> call,
        string what,
        TimeSpan limit,
        TimeProvider time,
        CancellationToken cancellation
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Read now: the call may begin only after the time is over and the source is disposed.
        var token = stop.Token;
        var running = Task.Run(() => call(token), CancellationToken.None);
        try
        {
            return await running.WaitAsync(limit, time, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!running.IsFaulted)
        {
            throw new TimeoutException(FormattableString.Invariant($"{what} gave no answer within {limit.TotalSeconds} s"));
        }
        finally
        {
            if (!running.IsCompleted)
            {
                Forget(running);
                await stop.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Observes the exception of an abandoned call.</summary>
    internal static void Forget(Task running) =>
        _ = running.ContinueWith(
            static task => _ = task.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default
        );
}
