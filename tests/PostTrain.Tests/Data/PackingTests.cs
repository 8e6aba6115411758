using PostTrain.Data.Batches;
using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Data;

public sealed class PackingTests
{
    [Fact]
    public void FirstFitDecreasing_GivesTheHandWorkedRows()
    {
        // 5, 4 and 3 find no room beside each other; 2 goes to the 4, 1 to the 5.
        var rows = Packing.FirstFitDecreasing([4, 3, 5, 1, 2], 6);
        Assert.Equal(
            [
                [2, 3],
                [0, 4],
                [1],
            ],
            rows
        );
        Assert.Empty(Packing.FirstFitDecreasing([], 6));
        Assert.Equal(
            [
                [0],
                [1],
            ],
            Packing.FirstFitDecreasing([6, 6], 6)
        );
        Assert.Equal(
            [
                [0, 1, 2],
            ],
            Packing.FirstFitDecreasing([2, 2, 2], 6)
        );
    }

    [Fact]
    public void FirstFitDecreasing_HoldsEverythingOnce_WithinTheBound()
    {
        var random = new Random(1);
        for (int round = 0; round < 200; round++)
        {
            int capacity = random.Next(1, 40);
            int[] lengths = [.. Enumerable.Range(0, random.Next(60)).Select(_ => random.Next(1, capacity + 1))];
            var rows = Packing.FirstFitDecreasing(lengths, capacity);
            Assert.Equal(Enumerable.Range(0, lengths.Length), rows.SelectMany(row => row).Order());
            Assert.All(rows, row => Assert.InRange(row.Sum(index => lengths[index]), 1, capacity));
            // No two rows could have been one.
            var fill = rows.Select(row => row.Sum(index => lengths[index])).Order().ToArray();
            if (fill.Length > 1)
                Assert.True(fill[0] + fill[1] > capacity, "two rows fit into one");
        }
    }

    [Fact]
    public void Packed_GivesTheHandWorkedBatch()
    {
        using var scope = NewDisposeScope();
        using var batch = SequenceBatch.Packed([new([7, 8, 9], 2), new([1, 2, 3, 4, 5], 0), new([6, 5], 1)], 5, paddingId: 0);
        // Segments of 2, 4 and 1 positions: 4 and 1 share a row.
        TensorAssert.Close([1, 2, 3, 4, 6, 7, 8, 0, 0, 0], batch.Inputs, 0);
        TensorAssert.Close([2, 3, 4, 5, 5, 8, 9, 0, 0, 0], batch.Targets, 0);
        TensorAssert.Close([0, 1, 2, 3, 0, 0, 1, 0, 0, 0], batch.Positions(), 0);
        TensorAssert.Close([1, 1, 1, 1, 2, 1, 1, 0, 0, 0], batch.AttentionMask, 0);
        TensorAssert.Close([1, 1, 1, 1, 1, 0, 1, 0, 0, 0], batch.LossMask, 0);
        Assert.Equal([2, 5], batch.Inputs.shape);
    }

    [Fact]
    public void BlockDiagonalMask_SeesItsOwnSegmentOnly()
    {
        using var scope = NewDisposeScope();
        var segments = tensor(
            new long[,]
            {
                { 1, 1, 2, 0 },
            }
        );
        TensorAssert.Close(
            [1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
            Packing.BlockDiagonalMask(segments).to_type(ScalarType.Float64),
            0
        );
        TensorAssert.Close(
            [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
            Packing.BlockDiagonalMask(segments, causal: false).to_type(ScalarType.Float64),
            0
        );
        Ownership.Check(() => [Packing.BlockDiagonalMask(segments)], segments);
    }

    /// <summary>The packing law, on one attention layer with learnt positions: loss and gradients of the packed batch are those of one
    /// sequence a row.</summary>
    [Fact]
    public void PackedLossAndGradients_AreTheUnpackedOnes()
    {
        using var scope = NewDisposeScope();
        TokenExample[] sequences = [new([3, 1, 4, 1, 5], 2), new([2, 6], 1), new([0, 3, 5], 0), new([5, 0, 2, 4], 3), new([1, 1, 6], 1)];
        Tensor[] parameters =
        [
            Numbers.Uniform(1, 1, 7, 4),
            Numbers.Uniform(2, 1, 8, 4),
            Numbers.Uniform(3, 1, 4, 4),
            Numbers.Uniform(4, 1, 4, 4),
            Numbers.Uniform(5, 1, 7, 4),
        ];
        using var packed = SequenceBatch.Packed(sequences, 6, 0);
        Assert.Equal(2, packed.Inputs.shape[0]);
        var (loss, gradients) = Run(parameters, [packed]);
        var rows = sequences.Select(sequence => SequenceBatch.Packed([sequence], 6, 0)).ToArray();
        var (expected, expectedGradients) = Run(parameters, rows);
        Assert.Equal(expected, loss, 1e-12);
        for (int i = 0; i < parameters.Length; i++)
            TensorAssert.Close(expectedGradients[i], gradients[i], 1e-12, $"gradient {i}");
        // The law has to fail where a segment sees its neighbour, and where positions run on.
        Assert.True(
            Math.Abs(Run(parameters, [packed with { AttentionMask = ones_like(packed.AttentionMask) }], packed.Positions()).Loss - expected)
                > 1e-5
        );
        Assert.True(Math.Abs(Run(parameters, [packed], arange(6).expand(2, 6)).Loss - expected) > 1e-5);
        foreach (var row in rows)
            row.Dispose();
    }

    // Token sums over all batches.
    private static (double Loss, Tensor[] Gradients) Run(Tensor[] parameters, SequenceBatch[] batches, Tensor? positions = null)
    {
        var leaves = Array.ConvertAll(parameters, parameter => parameter.detach().clone().requires_grad_(true));
        double total = 0;
        foreach (var batch in batches)
        {
            var x = leaves[0][batch.Inputs] + leaves[1][positions ?? batch.Positions()];
            var scores = x.matmul(leaves[2])
                .matmul(x.transpose(1, 2))
                .masked_fill(Packing.BlockDiagonalMask(batch.AttentionMask).logical_not(), -1e9);
            var hidden = x + scores.softmax(-1).matmul(x).matmul(leaves[3]);
            var loss = SupervisedLosses
                .ChunkedCrossEntropy(hidden, leaves[4], batch.Targets, batch.LossMask, aggregation: LossAggregation.TokenSum, chunkSize: 3)
                .Loss;
            loss.backward();
            total += loss.ToDouble();
        }
        return (total, Array.ConvertAll(leaves, leaf => leaf.grad!));
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        Assert.Equal("capacity", Assert.Throws<ArgumentOutOfRangeException>(() => Packing.FirstFitDecreasing([1], 0)).ParamName);
        Assert.Contains(
            "lengths[1] must be between 1 and the capacity, 5",
            Assert.Throws<ArgumentOutOfRangeException>(() => Packing.FirstFitDecreasing([1, 6], 5)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => Packing.FirstFitDecreasing([0], 5));
        Assert.Equal("examples", Assert.Throws<ArgumentException>(() => SequenceBatch.Packed([], 5, 0)).ParamName);
        Assert.Contains(
            "examples[0] has 1 tokens, expected 2 to 6",
            Assert.Throws<ArgumentException>(() => SequenceBatch.Packed([new([1])], 5, 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "examples[1] has 7 tokens",
            Assert.Throws<ArgumentException>(() => SequenceBatch.Packed([new([1, 2]), new([1, 2, 3, 4, 5, 6, 7])], 5, 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "a prompt of 3 tokens, expected 0 to 2",
            Assert.Throws<ArgumentException>(() => SequenceBatch.Packed([new([1, 2], 3)], 5, 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "segments",
            Assert.Throws<ArgumentException>(() => Packing.BlockDiagonalMask(zeros(3, dtype: ScalarType.Int64))).ParamName
        );
        Assert.Equal("segments", Assert.Throws<ArgumentException>(() => Packing.BlockDiagonalMask(zeros(2, 3))).ParamName);
    }
}
