using PostTrain.Operators;
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
        if (!Agree(tensor, expected))
            Guard.SameShape(tensor, name, expected, expectedName);
    }

    /// <summary>Each tensor of a list has the shape of its partner in another one.</summary>
    internal static void SameShapes(IReadOnlyList<Tensor> tensors, string name, IReadOnlyList<Tensor> expected, string expectedName)
    {
        // Names of elements are made for a message alone.
        for (int i = 0; i < tensors.Count; i++)
            if (tensors[i] is null || expected[i] is null || !Agree(tensors[i], expected[i]))
                SameShape(tensors[i], $"{name}[{i}]", expected[i], $"{expectedName}[{i}]");
    }

    /// <summary>The tensor is float32 or float64.</summary>
    /// <exception cref="NotSupportedException">Another floating-point type: the functions on tensors take it.</exception>
    internal static ScalarType Number(Tensor tensor, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        var type = TensorFacts.Type(tensor);
        if (type is ScalarType.Float32 or ScalarType.Float64)
            return type;
        Guard.Floating(tensor, name);
        throw new NotSupportedException($"{name} has type {type}, expected Float32 or Float64: kernels have no other type");
    }

    private static bool Agree(Tensor tensor, Tensor expected)
    {
        long dimensions = TensorFacts.Rank(expected);
        bool same = TensorFacts.Rank(tensor) == dimensions;
        for (int i = 0; same && i < dimensions; i++)
            same = TensorFacts.Size(tensor, i) == TensorFacts.Size(expected, i);
        return same;
    }
}
