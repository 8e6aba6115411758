using System.Reflection;
using System.Runtime.InteropServices;

namespace PostTrain.Torch.Interop;

/// <summary>What happens once, before the first native call: the library is found and the threads are set.</summary>
internal static partial class Startup
{
    // How often an idle worker looks for work before it sleeps. libgomp's own billions starve everything else on a busy machine.
    private const string SpinCount = "1000";

    [LibraryImport("posttrain_torch")] private static partial void pt_set_num_threads(int count);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)] private static partial int setenv(string name, string value, int overwrite);

    internal static void Prepare()
    {
        // libgomp reads its settings when it is loaded, from the native environment, which Environment's setter does not reach.
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null) _ = setenv("GOMP_SPINCOUNT", SpinCount, 0);
        NativeLibrary.SetDllImportResolver(typeof(Startup).Assembly, Resolve);
        // libtorch may come up with one thread; the machine's cores are what users expect.
        pt_set_num_threads(Environment.ProcessorCount);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? search)
    {
        if (name != "posttrain_torch") return 0;
        var file = Path.Combine(Path.GetDirectoryName(assembly.Location) ?? AppContext.BaseDirectory, "libposttrain_torch.so");
        if (!File.Exists(file)) file = Path.Combine(AppContext.BaseDirectory, "libposttrain_torch.so");
        if (!File.Exists(file))
            throw new DllNotFoundException($"{file} is missing; it is compiled at build time against libtorch (Debian, Ubuntu: apt-get install libtorch-dev g++).");
        try
        {
            return NativeLibrary.Load(file);
        }
        catch (DllNotFoundException exception)
        {
            throw new DllNotFoundException($"{file} could not be loaded: {exception.Message} Is libtorch installed (Debian, Ubuntu: apt-get install libtorch-dev)?", exception);
        }
    }
}
