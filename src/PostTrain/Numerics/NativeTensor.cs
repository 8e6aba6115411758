using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Tensors of managed numbers in libtorch's own memory.</summary>
/// <remarks>TorchSharp's <c>tensor(array)</c> lies in the managed array, at any address. Products in MKL round differently at addresses
/// that are no multiple of 64 bytes, so that equal weights would not give equal bits (docs/torchsharp.md).</remarks>
internal static class NativeTensor
{
    /// <summary>A fresh tensor; it belongs to the caller's scope.</summary>
    public static Tensor Of(float[] values, long[] shape, ScalarType type, Device? device = null)
    {
        using var managed = tensor(values, shape, dtype: ScalarType.Float32);
        return managed.to(type, device ?? CPU, copy: true);
    }

    /// <inheritdoc cref="Of(float[], long[], ScalarType, Device?)"/>
    public static Tensor Of(double[] values, long[] shape, ScalarType type, Device? device = null)
    {
        using var managed = tensor(values, shape, dtype: ScalarType.Float64);
        return managed.to(type, device ?? CPU, copy: true);
    }
}
