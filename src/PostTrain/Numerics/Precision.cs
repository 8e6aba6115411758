using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Promotion of 16-bit types to float32. Weights and activations may have 16 bits; sums, normalisations and long-lived state have
/// at least 32.</summary>
internal static class Precision
{
    internal static bool IsHalf(ScalarType type) => type is ScalarType.Float16 or ScalarType.BFloat16;

    /// <summary>Returns float32 for the 16-bit types, otherwise the type itself.</summary>
    internal static ScalarType AtLeastSingle(ScalarType type) => IsHalf(type) ? ScalarType.Float32 : type;

    /// <summary>Returns the tensor with at least 32 bits: a copy of a 16-bit one, otherwise itself.</summary>
    internal static Tensor AtLeastSingle(this Tensor tensor) => IsHalf(tensor.dtype) ? tensor.to_type(ScalarType.Float32) : tensor;
}
