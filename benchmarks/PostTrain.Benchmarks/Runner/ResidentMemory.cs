using System.Globalization;
using System.Runtime.InteropServices;

namespace PostTrain.Benchmarks.Runner;

/// <summary>How much memory a call takes on top of what the process holds already; native tensors are most of it.</summary>
internal static partial class ResidentMemory
{
    /// <summary>The resident high-water mark of one call above the level before it, in bytes; null where the system does not tell (it takes Linux).</summary>
    public static long? ExtraOf(Action call)
    {
        if (!OperatingSystem.IsLinux()) return null;
        GC.Collect();
        try
        {
            _ = malloc_trim(0);
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or EntryPointNotFoundException)
        {
            return null;
        }
        long before = Status("VmRSS:");
        call();
        return Math.Max(0, Status("VmHWM:") - before);
    }

    // "VmHWM:	  123456 kB"
    private static long Status(string field) =>
        1024 * long.Parse(File.ReadLines("/proc/self/status").First(line => line.StartsWith(field, StringComparison.Ordinal)).Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);
}
