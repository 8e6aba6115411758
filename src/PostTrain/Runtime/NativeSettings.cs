using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PostTrain.Runtime;

/// <summary>Settings of the native libraries used by TorchSharp.</summary>
/// <remarks>
/// On first use of this assembly, the environment variables of <see cref="Defaults"/> are set for this process unless they are set already.
/// The native libraries read them when they load: use a type of PostTrain before the first tensor, or set the variables outside the
/// process.
/// </remarks>
public static partial class NativeSettings
{
    // Parameters of glibc's mallopt.
    private const int TrimThreshold = -1,
        MapMax = -4,
        ArenaMax = -8;

    /// <summary>
    /// Environment variables and their values. <c>GOMP_SPINCOUNT=1000</c>: idle OpenMP threads sleep soon, so that a busy machine does not
    /// delay a step; not set if <c>OMP_WAIT_POLICY</c> is set. On an idle machine a step on two threads takes a few percent longer.
    /// <c>MKL_CBWR=AUTO</c>: matrix products do not depend on the address of their operands, which bit-exact resume needs.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Defaults { get; } =
        new Dictionary<string, string> { ["GOMP_SPINCOUNT"] = "1000", ["MKL_CBWR"] = "AUTO" };

    /// <summary>Keeps freed memory in the process for later tensors instead of returning it to the system.</summary>
    /// <remarks>
    /// glibc returns blocks above 32 MiB at once, and the next tensor of that size needs fresh pages: a step on large tensors can take
    /// several times as long. Afterwards resident memory stays at its peak. Call this once at program start: existing threads keep their
    /// arena.
    /// </remarks>
    /// <returns>True if the setting took effect; false on systems without glibc, where nothing changes.</returns>
    public static bool KeepFreedMemory()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            // Blocks in arenas other than the first are still mapped one by one.
            return mallopt(ArenaMax, 1) == 1 && mallopt(MapMax, 0) == 1 && mallopt(TrimThreshold, -1) == 1;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

#pragma warning disable CA2255 // There is no call that every user of the library makes before the first tensor.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void SetDefaults()
    {
        foreach (var (name, value) in Defaults)
        {
            if (Environment.GetEnvironmentVariable(name) is not null)
                continue;
            if (name == "GOMP_SPINCOUNT" && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is not null)
                continue;
            // The setter of Environment does not reach native code on Unix.
            if (OperatingSystem.IsWindows())
                Environment.SetEnvironmentVariable(name, value);
            else
                _ = setenv(name, value, 0);
        }
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);
}
