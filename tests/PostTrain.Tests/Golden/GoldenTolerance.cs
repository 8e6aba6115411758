using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>How near a result must come, |a − b| ≤ tolerance·(1 + |b|): by the precision that the inputs have.</summary>
internal static class GoldenTolerance
{
    internal static double Of(ScalarType type) =>
        type switch
        {
            ScalarType.Float64 => 1e-9,
            ScalarType.Float32 => 3e-5,
            ScalarType.BFloat16 => 3e-2,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "expected a floating-point type of the golden files"),
        };

    internal static void Close(Tensor expected, Tensor actual, string what) => TensorAssert.Close(expected, actual, Of(actual.dtype), what);

    internal static void Close(double expected, Tensor actual, string what) => TensorAssert.Close(expected, actual, Of(actual.dtype), what);
}
