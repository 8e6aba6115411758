using System.Reflection;
using static TorchSharp.torch;

namespace PostTrain.Runtime;

/// <summary>Versions and thread count of the tensor library, for reports.</summary>
public static class EngineFacts
{
    /// <summary>Returns one line, such as <c>TorchSharp 0.107.0, libtorch 2.10.0, 2 threads</c>.</summary>
    public static string Describe()
    {
        var version = typeof(Tensor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[
            0
        ];
        int threads = get_num_threads();
        return $"TorchSharp {version}, libtorch {__version__}, {threads} thread{(threads == 1 ? "" : "s")}";
    }
}
