using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>TorchSharp's devices are equal as objects only.</summary>
internal static class Devices
{
    public static bool Same(Device one, Device other) => one.type == other.type && one.index == other.index;
}
