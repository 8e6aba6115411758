using System.Globalization;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>Memory of a call at its peak by the kernel's own count; takes Linux.</summary>
internal static class ResidentPeak
{
    private const int MapThreshold = -3;

    /// <summary>The least of three calls: what else the process does meanwhile can only add to a peak.</summary>
    internal static long LeastOf(Action action) => Enumerable.Range(0, 3).Min(_ => Of(action));

    /// <summary>Bytes above the level before the call.</summary>
    /// <remarks>Resets the peak of the resident size (clear_refs 5, man 5 proc), runs, and reads it.</remarks>
    internal static long Of(Action action)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        // glibc up to 2.37 does not reuse the holes that aligned blocks leave in its heap. Mapped one by one, what is resident is what is
        // held.
        Assert.Equal(1, SetMallocOption(MapThreshold, 1 << 17));
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
            long before = Resident("VmRSS:");
            using (NewDisposeScope())
                action();
            return Resident("VmHWM:") - before;
        }
        finally
        {
            Assert.Equal(1, SetMallocOption(MapThreshold, 1 << 25));
        }
    }

    [DllImport("libc", EntryPoint = "mallopt")]
    private static extern int SetMallocOption(int option, int value);

    private static long Resident(string field) =>
        1024
        * long.Parse(
            File.ReadLines("/proc/self/status")
                .Single(line => line.StartsWith(field, StringComparison.Ordinal))
                .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture
        );
}
