using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Checks of arguments without the arrays that <c>shape</c> makes; the messages are those of <see cref="Guard"/>.</summary>
internal static class KernelGuard
{
    /// <summary>Both tensors have the same shape.</summary>
    internal static void SameShape(Tensor tensor, string name, Tensor expected, string expectedName)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        ArgumentNullException.ThrowIfNull(expected, expectedName);
        long dimensions = expected.dim();
        bool same = tensor.dim() == dimensions;
        for (int i = 0; same && i < dimensions; i++)
            same = tensor.size(i) == expected.size(i);
        if (!same)
            Guard.SameShape(tensor, name, expected, expectedName);
    }

    /// <summary>The tensor is float32 or float64.</summary>
    /// <exception cref="NotSupportedException">Another floating-point type: the functions on tensors take it.</exception>
    internal static ScalarType Number(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        var type = tensor.dtype;
        if (type is ScalarType.Float32 or ScalarType.Float64)
            return type;
        Guard.Floating(tensor, name);
        throw new NotSupportedException($"{name} has type {type}, expected Float32 or Float64: kernels have no other type");
    }
}
