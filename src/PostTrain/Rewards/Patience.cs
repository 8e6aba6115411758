using System.Runtime.ExceptionServices;

namespace PostTrain.Rewards;

/// <summary>Limits of time and repeated tries around an asynchronous call; the clock is an argument, so that tests need not wait.</summary>
internal static class Patience
{
    /// <summary>The call's result, or a <see cref="TimeoutException"/> after the limit. A call that does not heed its token, or blocks its thread, is
    /// left behind and its result is dropped.</summary>
    internal static async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> call, string what, TimeSpan limit, TimeProvider time, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Taken now: the call may begin only when the time is over and the source is gone.
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
                // What it throws when it ends at last is nobody's.
                _ = running.ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
                await stop.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>The first try that does not throw, else what the last one threw. Cancellation by the caller is not tried again.</summary>
    internal static async Task<T> RepeatedAsync<T>(Func<CancellationToken, Task<T>> call, RetryOptions options, TimeProvider time, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            ExceptionDispatchInfo failure;
            try
            {
                return await call(cancellation).ConfigureAwait(false);
            }
            catch (Exception exception) when (!cancellation.IsCancellationRequested && attempt < options.Attempts)
            {
                failure = ExceptionDispatchInfo.Capture(exception);
            }

            if (failure.SourceException is NotSupportedException or ArgumentException)
                failure.Throw();            // the caller's mistake, which waiting does not mend
            await Task.Delay(options.Wait(attempt), time, cancellation).ConfigureAwait(false);
        }
    }
}
