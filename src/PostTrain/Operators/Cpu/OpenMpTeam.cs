using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PostTrain.Operators;

/// <summary>The threads of the OpenMP library that libtorch computes with, lent to kernels: their own pool beside it would fight with it
/// for the cores, since OpenMP's idle threads wait by spinning.</summary>
/// <remarks>GNU's OpenMP only, found in the running process by its name; elsewhere <see cref="IsPresent"/> is false.</remarks>
internal static unsafe class OpenMpTeam
{
    private static readonly Lazy<nint> Parallel = new(Find);

    /// <summary>True if there is such a library.</summary>
    internal static bool IsPresent => Parallel.Value != 0;

    /// <summary>Calls <paramref name="part"/> with 0..count−1, each once, on this thread and up to <paramref name="threads"/> − 1
    /// others.</summary>
    /// <remarks>An exception of a part is raised here, after the others have ended.</remarks>
    internal static void Run(long count, int threads, Action<long> part)
    {
        var work = new Work(count, part);
        var handle = GCHandle.Alloc(work);
        try
        {
            ((delegate* unmanaged<delegate* unmanaged<nint, void>, nint, uint, uint, void>)Parallel.Value)(
                &Take,
                GCHandle.ToIntPtr(handle),
                (uint)threads,
                0
            );
        }
        finally
        {
            handle.Free();
        }
        if (work.Failure is { } failure)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    [UnmanagedCallersOnly]
    private static void Take(nint handle)
    {
        var work = Unsafe.As<Work>(GCHandle.FromIntPtr(handle).Target!);
        try
        {
            for (var i = work.Next(); i < work.Count; i = work.Next())
                work.Part(i);
        }
#pragma warning disable CA1031 // No exception may leave a function that native code has called.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            work.Failure = exception;
        }
    }

    private static nint Find()
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        // The copy that lies beside libtorch, where there are several.
        using var process = Process.GetCurrentProcess();
        var files = process.Modules.Cast<ProcessModule>().Select(module => module.FileName).ToArray();
        var torch = files.FirstOrDefault(file => Path.GetFileName(file).StartsWith("libtorch_cpu.so", StringComparison.Ordinal));
        if (torch is null)
            return 0;
        var path = files
            .Where(file => Path.GetFileName(file).StartsWith("libgomp", StringComparison.Ordinal))
            .OrderByDescending(file => Path.GetDirectoryName(file) == Path.GetDirectoryName(torch))
            .FirstOrDefault();
        return
            path is not null
            && NativeLibrary.TryLoad(path, out var library)
            && NativeLibrary.TryGetExport(library, "GOMP_parallel", out var found)
            ? found
            : 0;
    }

    private sealed class Work(long count, Action<long> part)
    {
        private long next = -1;

        public long Count => count;

        public Action<long> Part => part;

        public Exception? Failure { get; set; }

        public long Next() => Interlocked.Increment(ref next);
    }
}
