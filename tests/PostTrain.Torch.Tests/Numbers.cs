using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests;

/// <summary>Tensors from and to plain numbers, and comparisons with a tolerance.</summary>
internal static class Numbers
{
    internal static Tensor Real(double[] values, params long[] shape)
    {
        using var flat = tensor(values, float64);
        return flat.reshape(shape.Length > 0 ? shape : [values.Length]);
    }

    /// <summary>How many tensors live, after the garbage of earlier tests has been finalised.</summary>
    internal static long LiveTensors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }

    /// <summary>Numbers between -1 and 1 that look random and are the same at each call.</summary>
    internal static Tensor Spread(int number, params long[] shape)
    {
        long count = shape.Aggregate(1L, (product, size) => product * size);
        var values = new double[count];
        for (int i = 0; i < count; i++) values[i] = 2 * ((0.31 + 0.17 * number + i * 0.6180339887498949) % 1) - 1;
        return Real(values, shape);
    }

    internal static double[] Of(Tensor values)
    {
        using var flat = values.detach().to(float64).reshape(-1).contiguous();
        return flat.data<double>().ToArray();
    }

    internal static void Same(double[] expected, double[] actual, double tolerance = 1e-9)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Equal(expected[i], actual[i], tolerance), $"element {i}: expected {expected[i]:R}, got {actual[i]:R}");
    }

    internal static void Same(double[] expected, Tensor actual, double tolerance = 1e-9) => Same(expected, Of(actual), tolerance);

    internal static void Same(Tensor expected, Tensor actual, double tolerance = 1e-9)
    {
        Assert.Equal(expected.shape, actual.shape);
        Same(Of(expected), Of(actual), tolerance);
    }

    /// <summary>The gradients of a scalar function against central differences.</summary>
    internal static void GradientsMatch(Func<Tensor> function, params Tensor[] leaves)
    {
        foreach (var leaf in leaves) leaf.grad = null;
        function().backward();
        foreach (var leaf in leaves)
        {
            var gradient = Of(leaf.grad!);
            var start = Of(leaf);
            var difference = new double[start.Length];
            for (int i = 0; i < start.Length; i++) difference[i] = (At(leaf, start, i, 1e-5, function) - At(leaf, start, i, -1e-5, function)) / 2e-5;
            Set(leaf, start);
            Same(difference, gradient, 1e-7);
        }
    }

    private static bool Equal(double expected, double actual, double tolerance) =>
        expected.Equals(actual) || Math.Abs(expected - actual) <= tolerance * (1 + Math.Abs(expected));

    private static double At(Tensor leaf, double[] start, int element, double step, Func<Tensor> function)
    {
        var moved = (double[])start.Clone();
        moved[element] += step;
        Set(leaf, moved);
        using var _ = no_grad();
        return function().item<double>();
    }

    private static void Set(Tensor leaf, double[] values)
    {
        using var _ = no_grad();
        leaf.copy_(Real(values, leaf.shape));
    }
}
