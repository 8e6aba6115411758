using System.Runtime.ExceptionServices;

namespace PostTrain.Rewards;

/// <summary>Time limits and retries for asynchronous calls. The clock is an argument, so tests need not wait.</summary>
internal static class Patience
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

    /// <summary>Returns the call's result, or throws as soon as the caller cancels. A call that ignores its token or blocks its thread is
    /// abandoned and its result dropped.</summary>
    /// <remarks>Without a cancellable token the call is made on the caller's thread. With one, the part before its first await runs on the
    /// thread pool while the caller's thread waits, so a call that awaits nothing returns on the caller's thread.</remarks>
    internal static async Task<T> UntilAsync<T>(Func<Task<T>> call, CancellationToken cancellation)
    {
        if (!cancellation.CanBeCanceled)
            return await call().ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        return await Begun(call, cancellation).WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The overload for a callee that may end its calls itself (<see cref="IEndsWhenCancelled"/>); such calls are
    /// awaited.</summary>
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
            // Awaiting the call rethrows an exception of its first part.
        }
        return running;
    }

    // Observes the exception of an abandoned call.
    private static void Forget(Task running) =>
        _ = running.ContinueWith(
            static task => _ = task.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default
        );

    /// <summary>Returns the first attempt that does not throw; otherwise rethrows the last exception. Cancellation by the caller is not
    /// retried.</summary>
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
                failure.Throw(); // a mistake of the caller, which a retry cannot fix
            await Task.Delay(options.Wait(attempt), time, cancellation).ConfigureAwait(false);
        }
    }
}
