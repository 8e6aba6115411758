using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Runs parts of a kernel on several threads. The parts are fixed by the size of the data, so that results do not depend on the
/// number of threads.</summary>
internal static class Workers
{
    /// <summary>Numbers below which threads cost more than they save.</summary>
    internal const long ParallelSize = 1 << 16;

    /// <summary>Calls <paramref name="part"/> with 0..count−1, on as many threads as libtorch uses where <paramref name="size"/> numbers
    /// are worth it.</summary>
    internal static void Run(long count, long size, Action<long> part)
    {
        int threads = size < ParallelSize || count < 2 ? 1 : (int)Math.Min(count, get_num_threads());
        if (threads > 1 && OpenMpTeam.IsPresent)
        {
            OpenMpTeam.Run(count, threads, part);
            return;
        }
        if (threads > 1)
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, part);
            return;
        }
        for (long i = 0; i < count; i++)
            part(i);
    }
}
