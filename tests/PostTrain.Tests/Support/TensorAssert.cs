using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>Comparisons of tensors, |a − b| ≤ tolerance·(1 + |b|); NaN equals NaN, and an infinity only itself.</summary>
internal static class TensorAssert
{
    internal static void Close(double[] expected, Tensor actual, double tolerance, string what = "tensor")
    {
        var values = Numbers.Values(actual);
        Assert.True(expected.Length == values.Length, $"{what} has {values.Length} elements, expected {expected.Length}");
        for (int i = 0; i < values.Length; i++)
            Assert.True(
                Near(expected[i], values[i], tolerance),
                string.Create(CultureInfo.InvariantCulture, $"{what}[{i}] is {values[i]:R}, expected {expected[i]:R} within {tolerance:R}")
            );
    }

    internal static void Close(Tensor expected, Tensor actual, double tolerance, string what = "tensor")
    {
        Assert.True(
            expected.shape.SequenceEqual(actual.shape),
            $"{what} has shape [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]"
        );
        Close(Numbers.Values(expected), actual, tolerance, what);
    }

    internal static void Close(double expected, Tensor actual, double tolerance, string what = "scalar")
    {
        Assert.True(actual.dim() == 0, $"{what} has {actual.dim()} dimensions, expected a scalar");
        Close([expected], actual, tolerance, what);
    }

    /// <summary>The same shape and the same numbers, to the last bit; +0 and −0 are one number.</summary>
    internal static void Same(Tensor expected, Tensor actual, string what = "tensor") => Close(expected, actual, 0, what);

    internal static void Zero(Tensor actual, string what = "tensor") => Close(new double[actual.numel()], actual, 0, what);

    internal static void Finite(Tensor actual, string what = "tensor") =>
        Assert.All(Numbers.Values(actual), value => Assert.True(double.IsFinite(value), $"{what} holds {value}"));

    private static bool Near(double expected, double actual, double tolerance) =>
        double.IsFinite(expected) ? Math.Abs(actual - expected) <= tolerance * (1 + Math.Abs(expected)) : expected.Equals(actual);
}
