using System.Text;
using PostTrain.Torch.Interop;

namespace PostTrain.Torch;

/// <summary>What stands under the tensors on this machine: for report headers and bug reports.</summary>
/// <param name="LibtorchVersion">Version of libtorch, for example <c>1.13.1</c>.</param>
/// <param name="Blas">The library that answers for matrix products (folder and file).</param>
/// <param name="Threads">Threads an operator may use.</param>
/// <param name="CpuCapability">Instruction set of libtorch's vectorised code, for example <c>AVX2</c>.</param>
public sealed record EngineInfo(string LibtorchVersion, string Blas, int Threads, string CpuCapability)
{
    /// <summary>Asks the engine that is loaded.</summary>
    public static unsafe EngineInfo Current()
    {
        var buffer = stackalloc byte[8192];
        var config = Text(buffer, Native.pt_config(buffer, 8192));
        const string key = "CPU capability usage:";
        var line = config.Split('\n').FirstOrDefault(l => l.Contains(key, StringComparison.Ordinal));
        var capability = line is null ? "unknown" : line[(line.IndexOf(key, StringComparison.Ordinal) + key.Length)..].Trim();
        return new EngineInfo(
            Text(buffer, Native.pt_version(buffer, 8192)),
            ShortPath(Text(buffer, Native.pt_blas(buffer, 8192))),
            Native.pt_num_threads(),
            capability);
    }

    /// <summary>One line: <c>libtorch 1.13.1, libopenblas…, 2 threads, AVX2</c>.</summary>
    public override string ToString() => $"libtorch {LibtorchVersion}, {Blas}, {Threads} thread{(Threads == 1 ? "" : "s")}, {CpuCapability}";

    // The folder tells the builds of OpenBLAS apart, whose files all have the name libblas.so.3.
    private static string ShortPath(string path) => Path.Combine(Path.GetFileName(Path.GetDirectoryName(path)) ?? "", Path.GetFileName(path));

    private static unsafe string Text(byte* buffer, int count) => Encoding.UTF8.GetString(buffer, Math.Max(count, 0));
}
