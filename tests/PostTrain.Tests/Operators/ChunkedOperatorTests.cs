using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Tests.Kernels;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

/// <summary>Log-probs from hidden states by chunks: rows in one pass against the tensor operators.</summary>
[Collection("Sequential")]
public sealed class ChunkedOperatorTests
{
    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    public void Chunks_AreTheTensorOperators(ScalarType type)
    {
        var seed = 0;
        foreach (var width in new[] { 1, 7, 33, 300 })
        foreach (var rows in new[] { 1, 5, 40 })
        foreach (var size in new[] { 1, 16 })
        {
            using var scope = NewDisposeScope();
            seed++;
            var (targets, mask) = (Numbers.Ids(seed, width, 2, rows), KernelFuzz.Holes(seed, type, false, 2, rows));
            var weights = Enumerable.Range(0, 4).Select(i => KernelFuzz.Make(seed + 50 * i, type, false, 1, 0, 2, rows)).ToArray();
            Tensor Sum(Tensor[] x)
            {
                var tokens = ChunkedLogProbs.Gather(x[0], x[1], targets, mask, chunkSize: size);
                Tensor[] parts = [tokens.LogProbs, tokens.MeanLogProbs, tokens.LogPartitions, tokens.Entropies];
                // Every third seed leaves the last two without a gradient.
                return parts.Take(seed % 3 == 0 ? 2 : 4).Zip(weights, (part, weight) => part * weight).Aggregate((a, b) => a + b);
            }
            Tensor Reference(Tensor[] x)
            {
                using var period = Fused.Reference();
                return Sum(x);
            }
            Tensor[] inputs =
            [
                KernelFuzz.Make(seed, type, seed % 2 == 0, 2, 0, 2, rows, 6),
                KernelFuzz.Make(seed + 1, type, false, 1, 0, width, 6),
            ];
            OperatorCheck.Agree(Sum, Reference, type, inputs);
            using var hits = ChunkedLogProbs.Gather(inputs[0], inputs[1], targets, mask, chunkSize: size).Correct;
            using (Fused.Reference())
                TensorAssert.Same(ChunkedLogProbs.Gather(inputs[0], inputs[1], targets, mask, chunkSize: size).Correct, hits);
        }
    }

    [Fact]
    public void Gradients_AreThoseOfDifferences()
    {
        using var scope = NewDisposeScope();
        var (targets, mask) = (Numbers.Ids(2, 5, 2, 3), Numbers.Mask(3, 3, 1));
        GradientCheck.Run(
            x =>
            {
                var tokens = ChunkedLogProbs.Gather(x[0], x[1], targets, mask, chunkSize: 2);
                return (tokens.LogProbs.sin() + tokens.Entropies * 0.3 + tokens.LogPartitions.square() + tokens.MeanLogProbs).sum();
            },
            Numbers.Uniform(1, 1, 2, 3, 4),
            Numbers.Uniform(2, 1, 5, 4)
        );
    }
}
