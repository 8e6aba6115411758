using System.Runtime.ExceptionServices;
using PostTrain.Data;

namespace PostTrain.Rewards;

/// <summary>Cancellation and retries of asynchronous calls. The clock is an argument, so tests need not wait.</summary>
internal static class Patience
{
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
        TimeLimit.Forget(running);
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
