using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Kernels;

/// <summary>Inputs and comparisons that all tests of kernels share: the functions on tensors are the oracle.</summary>
internal static class KernelFuzz
{
    /// <summary>Rows and columns: none, one, odd, and more than a vector holds.</summary>
    internal static readonly (long Rows, long Columns)[] Shapes =
    [
        (0, 0),
        (0, 3),
        (3, 0),
        (1, 1),
        (1, 5),
        (2, 4),
        (3, 13),
        (5, 32),
        (2, 131),
    ];

    internal static readonly long[] Lengths = [0, 1, 2, 3, 4, 5, 8, 13, 64, 131];

    /// <summary>Float64 and float32, each contiguous and strided.</summary>
    public static TheoryData<ScalarType, bool> Layouts =>
        new()
        {
            { ScalarType.Float64, false },
            { ScalarType.Float64, true },
            { ScalarType.Float32, false },
            { ScalarType.Float32, true },
        };

    internal static double Tolerance(ScalarType type) => type == ScalarType.Float64 ? 1e-12 : 3e-6;

    /// <summary>Uniform numbers around a mean, of a type; in every second place of its memory where strided.</summary>
    internal static Tensor Make(int seed, ScalarType type, bool strided, double scale, double mean, params long[] shape) =>
        Lay((Numbers.Uniform(seed, scale, shape) + mean).to_type(type), strided);

    /// <summary>The same numbers in every second place of their memory.</summary>
    internal static Tensor Lay(Tensor values, bool strided) => strided ? stack([values, values + 1], -1).select(-1, 0) : values;

    /// <summary>A mask with holes: bool for even seeds, otherwise numbers; every third seed counts nothing.</summary>
    internal static Tensor Holes(int seed, ScalarType type, bool strided, params long[] shape)
    {
        var counted = Numbers.Uniform(seed + 1000, 1, shape) > (seed % 3 == 0 ? 2 : -0.4);
        var mask = Lay(counted.to_type(seed % 2 == 0 ? type : ScalarType.Int64), strided);
        return seed % 4 == 2 ? mask != 0 : mask;
    }

    /// <summary>The oracle's gradients: zeros where its loss does not depend on an input.</summary>
    internal static Tensor[] Gradients(Func<Tensor[], Tensor> loss, params Tensor[] inputs)
    {
        var leaves = Array.ConvertAll(inputs, input => input.detach().clone().requires_grad_(true));
        loss(leaves).backward();
        return Array.ConvertAll(leaves, leaf => leaf.grad is { IsInvalid: false } gradient ? gradient : zeros_like(leaf));
    }

    /// <summary>The kernel refuses what the oracle refuses, in the same words.</summary>
    internal static void SameRefusal(Action oracle, Action kernel)
    {
        var expected = Assert.ThrowsAny<ArgumentException>(oracle);
        var actual = Assert.ThrowsAny<ArgumentException>(kernel);
        Assert.Equal(expected.GetType(), actual.GetType());
        Assert.Equal(expected.Message, actual.Message);
    }

    /// <summary>The results of a function with one and with two threads.</summary>
    internal static void SameBits(Func<Tensor[]> function)
    {
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            var one = function();
            set_num_threads(2);
            var two = function();
            for (int i = 0; i < one.Length; i++)
                TensorAssert.Same(one[i], two[i], $"result {i}");
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    internal static void Near(double expected, double actual, double tolerance, string what) =>
        TensorAssert.Close([expected], tensor(actual), tolerance, what);
}
