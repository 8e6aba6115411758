using System.Diagnostics;

namespace PostTrain.Training.Distributed;

/// <summary>A meeting point of threads: each leaves something, and all get what all left.</summary>
internal sealed class Rendezvous(int size)
{
    private readonly object gate = new();
    private readonly RankFailedException?[] ended = new RankFailedException?[size];
    private object?[] left = new object?[size];
    private bool[] arrived = new bool[size];
    private object?[] met = [];
    private long meeting;

    /// <summary>Waits for all ranks and returns what they left.</summary>
    /// <exception cref="RankFailedException">A rank has ended, or does not come in time.</exception>
    internal object?[] Meet(int rank, object? item, TimeSpan timeout)
    {
        lock (gate)
        {
            (left[rank], arrived[rank]) = (item, true);
            long own = meeting;
            if (Array.TrueForAll(arrived, came => came))
            {
                (met, left, arrived) = (left, new object?[size], new bool[size]);
                meeting++;
                Monitor.PulseAll(gate);
                return met;
            }
            var watch = Stopwatch.StartNew();
            while (meeting == own)
            {
                for (int other = 0; other < size; other++)
                    if (!arrived[other] && ended[other] is { } error)
                        throw new RankFailedException(error.Rank, error.Cause);
                var rest = timeout - watch.Elapsed;
                if (rest <= TimeSpan.Zero)
                    throw Late(Array.FindIndex(arrived, came => !came), timeout);
                Monitor.Wait(gate, rest < TimeSpan.FromDays(1) ? rest : TimeSpan.FromDays(1));
            }
            return met;
        }
    }

    /// <summary>Notes that a rank comes no more.</summary>
    internal void End(int rank, RankFailedException cause)
    {
        lock (gate)
        {
            ended[rank] = cause;
            Monitor.PulseAll(gate);
        }
    }

    internal static RankFailedException Late(int rank, TimeSpan timeout) =>
        new(
            rank,
            FormattableString.Invariant($"it has not answered for {timeout.TotalSeconds:0.###} seconds, which others waited: ")
                + "it hangs, is much slower, or has left the training"
        );
}
