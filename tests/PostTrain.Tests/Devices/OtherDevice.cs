using System.Diagnostics;
using System.Runtime.InteropServices;
using PostTrain.Tests.Samples;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Devices;

/// <summary>The device of <c>device.cpp</c>, compiled and loaded once: this processor, which libtorch takes for another. What a GPU would refuse, it refuses.</summary>
internal sealed class OtherDevice : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    internal OtherDevice()
    {
        var library = directory.File("device.so");
        var start = new ProcessStartInfo("bash", [Path.Combine(SampleTests.Root, "src", "PostTrain.Torch", "native", "build.sh"), library, Path.Combine(SampleTests.Root, "tests", "PostTrain.Tests", "Devices")])
        {
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        // libtorch keeps what is registered: never to be unloaded.
        using (tensor(0)) NativeLibrary.Load(library);
    }

    /// <summary>Where it is.</summary>
    internal static Device Place { get; } = new(DeviceType.FPGA, 0);

    public void Dispose() => directory.Dispose();
}
