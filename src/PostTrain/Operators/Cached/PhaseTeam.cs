namespace PostTrain.Operators;

/// <summary>Runs phases one after the other, each cut into items, on threads that stay together over all phases: a thread that is there
/// takes items, and nobody waits for one that comes late.</summary>
internal sealed class PhaseTeam(int phases, Func<int, int> items, Action<int, int> run)
{
    // Counters of different phases on different lines of the cache.
    private const int Spacing = 16;

    private readonly long[] taken = new long[phases * Spacing];
    private readonly long[] done = new long[phases * Spacing];

    /// <summary>Calls <c>run(phase, item)</c> for every item of every phase; a phase begins when the one before has ended.</summary>
    internal void Run(int threads)
    {
        if (threads > 1)
        {
            Workers.Run(threads, Workers.ParallelSize, _ => Work());
            return;
        }
        for (int phase = 0; phase < phases; phase++)
        {
            int count = items(phase);
            for (int item = 0; item < count; item++)
                run(phase, item);
        }
    }

    private void Work()
    {
        for (int phase = 0; phase < phases; phase++)
        {
            int count = items(phase);
            for (
                long item = Interlocked.Increment(ref taken[phase * Spacing]) - 1;
                item < count;
                item = Interlocked.Increment(ref taken[phase * Spacing]) - 1
            )
            {
                try
                {
                    run(phase, (int)item);
                }
                finally
                {
                    Interlocked.Increment(ref done[phase * Spacing]);
                }
            }
            var wait = new SpinWait();
            while (Volatile.Read(ref done[phase * Spacing]) < count)
                wait.SpinOnce(sleep1Threshold: -1);
        }
    }
}
