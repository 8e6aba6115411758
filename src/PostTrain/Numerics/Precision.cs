using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>16-bit numbers are for weights and activations; what is summed, normalised or kept over many steps has 32 bits at
/// least.</summary>
internal static class Precision
{
    internal static bool IsHalf(ScalarType type) => type is ScalarType.Float16 or ScalarType.BFloat16;

    /// <summary>float32 for the 16-bit types, otherwise the type itself.</summary>
    internal static ScalarType AtLeastSingle(ScalarType type) => IsHalf(type) ? ScalarType.Float32 : type;

    /// <summary>The tensor with 32 bits at least: a copy of a 16-bit one, else itself.</summary>
    internal static Tensor AtLeastSingle(this Tensor tensor) => IsHalf(tensor.dtype) ? tensor.to_type(ScalarType.Float32) : tensor;
}
