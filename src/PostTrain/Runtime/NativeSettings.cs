using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PostTrain.Runtime;

/// <summary>Settings of the native libraries under TorchSharp.</summary>
/// <remarks>
/// When this assembly is first used, it sets the environment variables of <see cref="Defaults"/> for this process, each unless it is set
/// already. The native libraries read them when they are loaded: use a type of PostTrain before the first tensor, or set the variables
/// outside.
/// </remarks>
public static partial class NativeSettings
{
    // Parameters of glibc's mallopt.
    private const int TrimThreshold = -1,
        MapMax = -4,
        ArenaMax = -8;

    /// <summary>
    /// Variables and values. <c>GOMP_SPINCOUNT=1000</c>: OpenMP's idle threads sleep soon, so that a busy machine does not stall a step;
    /// left alone where <c>OMP_WAIT_POLICY</c> is set. On a quiet machine a step on two threads takes some percent longer.
    /// <c>MKL_CBWR=AUTO</c>: matrix products do not depend on the address of their operands, which bit-exact resuming needs.
    /// </summary>
    public static IReadOnlyDictionary<string, string> Defaults { get; } =
        new Dictionary<string, string> { ["GOMP_SPINCOUNT"] = "1000", ["MKL_CBWR"] = "AUTO" };

    /// <summary>Keeps freed memory in the process for the next tensors, instead of giving it back to the system after each of
    /// them.</summary>
    /// <remarks>
    /// glibc returns blocks above 32 MiB at once, and the next tensor of that size pays for fresh pages: a step on large tensors can take
    /// several times as long. Resident memory stays at its peak afterwards. Call it once, at the start of the program: threads that
    /// exist already keep the arena that they have.
    /// </remarks>
    /// <returns>True where the setting took effect; false on systems without glibc, where nothing is changed.</returns>
    public static bool KeepFreedMemory()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            // Blocks of other arenas than the first are still mapped one by one.
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
            // Environment's own setter does not reach native code on Unix.
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
