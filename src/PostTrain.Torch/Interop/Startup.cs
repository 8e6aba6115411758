using System.Reflection;
using System.Runtime.InteropServices;

namespace PostTrain.Torch.Interop;

/// <summary>What happens once, before the first native call: the library is found and the threads are set.</summary>
internal static partial class Startup
{
    [LibraryImport("posttrain_torch")] private static partial void pt_set_num_threads(int count);

    internal static void Prepare()
    {
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
