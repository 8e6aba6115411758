using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>Tensors for tests: always the same numbers for the same seed, without torch's global generator.</summary>
internal static class Numbers
{
    /// <summary>Float64 numbers between −scale and scale.</summary>
    internal static Tensor Uniform(int seed, double scale, params long[] shape)
    {
        var random = new Random(seed);
        var data = new double[shape.Aggregate(1L, (product, size) => product * size)];
        for (int i = 0; i < data.Length; i++)
            data[i] = scale * (2 * random.NextDouble() - 1);
        return tensor(data).reshape(shape);
    }

    /// <summary>Token ids in 0..vocabulary−1.</summary>
    internal static Tensor Ids(int seed, int vocabulary, params long[] shape)
    {
        var random = new Random(seed);
        var data = new long[shape.Aggregate(1L, (product, size) => product * size)];
        for (int i = 0; i < data.Length; i++)
            data[i] = random.Next(vocabulary);
        return tensor(data).reshape(shape);
    }

    /// <summary>[lengths.Length, columns]; 1 in the first lengths[i] places of row i.</summary>
    internal static Tensor Mask(int columns, params int[] lengths)
    {
        var data = new double[lengths.Length, columns];
        for (int row = 0; row < lengths.Length; row++)
        for (int column = 0; column < lengths[row]; column++)
            data[row, column] = 1;
        return tensor(data);
    }

    /// <summary>The elements in row-major order.</summary>
    internal static double[] Values(Tensor tensor) =>
        [.. tensor.detach().cpu().to_type(ScalarType.Float64).contiguous().reshape(-1).data<double>()];

    /// <summary>The gradient of a scalar function at a point.</summary>
    internal static Tensor Gradient(Func<Tensor, Tensor> function, Tensor at)
    {
        var leaf = at.detach().clone().requires_grad_(true);
        function(leaf).backward();
        return leaf.grad!;
    }

    /// <summary>The gradients of a scalar, which have gradients themselves; zeros where it does not depend on a tensor.</summary>
    /// <remarks>TorchSharp 0.107 frees the graph under create_graph unless told to keep it, and gives tensors without content for what is
    /// unused.</remarks>
    internal static Tensor[] GradientGraph(Tensor value, params Tensor[] inputs) =>
        [
            .. autograd
                .grad([value], inputs, retain_graph: true, create_graph: true, allow_unused: true)
                .Select((gradient, i) => gradient is null || gradient.IsInvalid ? zeros_like(inputs[i]) : gradient),
        ];
}
