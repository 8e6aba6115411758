using System.Runtime.ExceptionServices;

namespace PostTrain.Rewards;

/// <summary>Limits of time and repeated tries around an asynchronous call; the clock is an argument, so that tests need not wait.</summary>
internal static class Patience
{
    /// <summary>The call's result, or a <see cref="TimeoutException"/> after the limit. A call that does not heed its token, or blocks its
    /// thread, is left behind and its result is dropped.</summary>
    internal static async Task<T> WithinAsync<T>(
        Func<CancellationToken, Task<T>> call,
        string what,
        TimeSpan limit,
        TimeProvider time,
        CancellationToken cancellation
    )
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
                Forget(running);
                await stop.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>The call's result, or the caller's cancellation as soon as it comes: a call that does not heed its token, or blocks its
    /// thread, is left behind and its result is dropped.</summary>
    /// <remarks>Without a token that can be cancelled the call is made on the caller's thread. With one, what it does before its first
    /// await is done on the thread pool while the caller's thread waits,
    /// so that a call that awaits nothing leaves the caller on its thread.</remarks>
    internal static async Task<T> UntilAsync<T>(Func<Task<T>> call, CancellationToken cancellation)
    {
        if (!cancellation.CanBeCanceled)
            return await call().ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        return await Begun(call, cancellation).WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The same of a call to something that may be the caller's own: what ends its calls itself is awaited.</summary>
    internal static Task<T> UntilAsync<T>(object callee, Func<Task<T>> call, CancellationToken cancellation) =>
        callee is IEndsWhenCancelled ? call() : UntilAsync(call, cancellation);

    private static Task<T> Begun<T>(Func<Task<T>> call, CancellationToken cancellation)
    {
        var beginning = Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
        var running = beginning.Unwrap();
        Forget(running);
        try
        {
            beginning.Wait(cancellation);
        }
        catch (AggregateException)
        {
            // What the beginning threw is what awaiting the call throws.
        }
        return running;
    }

    // What a call throws that nobody awaits any longer is nobody's.
    private static void Forget(Task running) =>
        _ = running.ContinueWith(
            static task => _ = task.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default
        );

    /// <summary>The first try that does not throw, else what the last one threw. Cancellation by the caller is not tried again.</summary>
    internal static async Task<T> RepeatedAsync<T>(
        Func<CancellationToken, Task<T>> call,
        RetryOptions options,
        TimeProvider time,
        CancellationToken cancellation
    )
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
                failure.Throw(); // the caller's mistake, which waiting does not mend
            await Task.Delay(options.Wait(attempt), time, cancellation).ConfigureAwait(false);
        }
    }
}
