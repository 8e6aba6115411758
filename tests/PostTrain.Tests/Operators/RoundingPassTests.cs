using PostTrain.Operators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed unsafe class RoundingPassTests
{
    // More than one part of a pass, an odd length, one number, nothing.
    private static readonly long[] Lengths = [70_001, 9, 1, 0, 64];

    [Fact]
    public void Passes_AreLibtorchsConversions()
    {
        using var scope = NewDisposeScope();
        var (half, single) = (Tensors(1, ScalarType.BFloat16), Tensors(2, ScalarType.Float32));
        var rounded = single.ConvertAll(tensor => tensor.to_type(ScalarType.BFloat16));
        var sums = half.Zip(single, (a, b) => b + a.to_type(ScalarType.Float32)).ToList();
        int[] all = [.. Enumerable.Range(0, Lengths.Length)];
        using var narrow = new MemoryList(half, all, ScalarType.BFloat16, "half");
        using var wide = new MemoryList(single, all, ScalarType.Float32, "single");

        RoundingPass.Add(narrow, wide);
        Same(sums, single);
        RoundingPass.Widen(narrow, wide);
        Same(half.ConvertAll(tensor => tensor.to_type(ScalarType.Float32)), single);
        var other = Tensors(2, ScalarType.Float32);
        using var source = new MemoryList(other, all, ScalarType.Float32, null);
        RoundingPass.Round(source, narrow);
        Same(rounded, half);
    }

    [Fact]
    public void Sum_IsRoundedOnce_WithAnyNumberOfThreads()
    {
        using var scope = NewDisposeScope();
        var (x, y) = (Tensors(3, ScalarType.BFloat16), Tensors(4, ScalarType.Float32));
        foreach (var (a, b) in x.Zip(y))
        {
            var expected = (a.to_type(ScalarType.Float32) + b).to_type(ScalarType.BFloat16);
            foreach (var threads in new[] { 1, 2 })
                TensorAssert.Same(expected, Sum(a, b, threads));
        }
    }

    private static Tensor Sum(Tensor x, Tensor y, int threads)
    {
        var before = get_num_threads();
        try
        {
            set_num_threads(threads);
            var to = empty_like(x);
            RoundingPass.Add(
                TensorMemory.Address<BFloat16>(x),
                TensorMemory.Address<float>(y),
                TensorMemory.Address<BFloat16>(to),
                x.numel()
            );
            return to;
        }
        finally
        {
            set_num_threads(before);
        }
    }

    private static List<Tensor> Tensors(int seed, ScalarType type) =>
        [.. Lengths.Select((length, i) => Numbers.Uniform(10 * seed + i, 2, length).to_type(type))];

    private static void Same(List<Tensor> expected, List<Tensor> actual)
    {
        foreach (var (first, second) in expected.Zip(actual))
            TensorAssert.Same(first, second);
    }
}
