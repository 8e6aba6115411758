using System.Globalization;
using System.Runtime.InteropServices;
using PostTrain.Refinement.Restarts;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Resident memory of the process and its high-water mark; native tensors are most of it. Null where the system does not tell (it
/// takes Linux).</summary>
internal static partial class ResidentMemory
{
    /// <summary>Bytes that one call takes at its peak above the level before it.</summary>
    public static long? ExtraOf(Action call)
    {
        if (!Restart())
            return null;
        long before = Status("VmRSS:");
        call();
        return Math.Max(0, Status("VmHWM:") - before);
    }

    /// <summary>Gives free heap back and lets the high-water mark begin at the level of now.</summary>
    /// <returns>Whether the system could do that.</returns>
    public static bool Restart()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        GC.Collect();
        try
        {
            _ = malloc_trim(0);
            File.WriteAllText("/proc/self/clear_refs", "5");
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>The high-water mark since <see cref="Restart"/>, the whole process counted.</summary>
    public static long? Peak() => OperatingSystem.IsLinux() ? Status("VmHWM:") : null;

    // "VmHWM:	  123456 kB"
    private static long Status(string field) =>
        1024
        * long.Parse(
            File.ReadLines("/proc/self/status")
                .First(line => line.StartsWith(field, StringComparison.Ordinal))
                .Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture
        );

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);
}
