using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Creates tensors of managed values in libtorch's own memory.</summary>
/// <remarks>TorchSharp's <c>tensor(array)</c> uses the managed array at its address. MKL's products round differently at addresses that are
/// not multiples of 64 bytes, so equal weights would not give equal bits (docs/torchsharp.md).</remarks>
internal static class NativeTensor
{
    /// <summary>Creates a fresh tensor in the caller's scope.</summary>
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
