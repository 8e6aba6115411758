using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Tests.Support;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.Tests.Data;

public sealed class BatchTests
{
    [Fact]
    public void Pad_FillsTheSideToTheMultiple()
    {
        TensorAssert.Close(
            [1, 2, 9, 9, 3, 9, 9, 9],
            SequencePadding.Pad(
                [
                    [1, 2],
                    [3],
                ],
                9,
                multipleOf: 4
            ),
            0
        );
        TensorAssert.Close(
            [1, 2, 9, 3],
            SequencePadding.Pad(
                [
                    [1, 2],
                    [3],
                ],
                9,
                PaddingSide.Left
            ),
            0
        );
        Assert.Equal(
            [2L, 0L],
            SequencePadding
                .Pad(
                    [
                        [],
                        [],
                    ],
                    9
                )
                .shape
        );
        Assert.Throws<ArgumentException>(() => SequencePadding.Pad([], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            SequencePadding.Pad(
                [
                    [1],
                ],
                0,
                multipleOf: 0
            )
        );
    }

    [Fact]
    public void FlushLeft_RollsEachRow()
    {
        var mask = tensor(
            new long[,]
            {
                { 0, 1, 1, 0 },
                { 0, 0, 1, 0 },
            }
        );
        var values = tensor(
            new double[,]
            {
                { 1, 2, 3, 4 },
                { 5, 6, 7, 8 },
            }
        );
        var (flushed, rolled) = SequencePadding.FlushLeft(mask, values);
        TensorAssert.Close([1, 1, 1, 0], flushed, 0);
        TensorAssert.Close([2, 3, 7, 8], rolled, 0);
        Assert.Equal([2L, 0L], SequencePadding.FlushLeft(zeros_like(mask), values).Values.shape);
        Ownership.Check(
            () =>
            {
                var (one, two) = SequencePadding.FlushLeft(mask, values);
                return [one, two];
            },
            mask,
            values
        );
        Assert.Throws<ArgumentException>(() => SequencePadding.FlushLeft(mask, values.narrow(1, 0, 2)));
    }

    [Fact]
    public void Sequences_AreShifted_AndPaddedToTheMultiple()
    {
        using var scope = NewDisposeScope();
        TokenExample[] examples = [new([1, 2, 3, 4], 2), new([5, 6, 7]) { Learnt = [true, true, false] }];
        var batch = SequenceBatch.Of(examples, paddingId: 9, padToMultipleOf: 3);
        // Six tokens a row, five positions.
        Assert.Equal([2, 5], batch.Inputs.shape);
        TensorAssert.Close([1, 2, 3, 4, 9, 5, 6, 7, 9, 9], batch.Inputs, 0);
        TensorAssert.Close([2, 3, 4, 9, 9, 6, 7, 9, 9, 9], batch.Targets, 0);
        TensorAssert.Close([1, 1, 1, 1, 0, 1, 1, 1, 0, 0], batch.AttentionMask, 0);
        TensorAssert.Close([0, 1, 1, 0, 0, 1, 0, 0, 0, 0], batch.LossMask, 0);
        TensorAssert.Close([0, 1, 2, 3, 0, 0, 1, 2, 0, 0], batch.Positions(), 0);
        Assert.Equal((2, 7.0, 2.0, 0), (batch.Rows, batch.Tokens, batch.Denominator, batch.FirstColumn));
        Assert.Equal(1, SequenceBatch.Of(examples[..1], 9).FirstColumn);
        var part = batch.Part(1, 5);
        TensorAssert.Close([5, 6, 7, 9, 9], part.Inputs, 0);
        Assert.Equal((1, 2.0), (part.Rows, part.Denominator));
        Assert.Contains(
            "examples[0] has 1 values of Learnt, expected 2",
            Assert.Throws<ArgumentException>(() => SequenceBatch.Of([new([1, 2]) { Learnt = [true] }], 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => SequenceBatch.Of([], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => SequenceBatch.Of([new([1, 2])], 0, 0));
    }

    [Fact]
    public void Joined_BeginsEachSequenceAnew()
    {
        using var scope = NewDisposeScope();
        var batch = SequenceBatch.Joined([new([1, 2, 3], 2), new([8]), new([4, 5])], 0, padToMultipleOf: 8);
        // Six tokens, two of padding; three positions of sequences.
        TensorAssert.Close([1, 2, 4, 0, 0], batch.Inputs, 0);
        TensorAssert.Close([2, 3, 5, 0, 0], batch.Targets, 0);
        TensorAssert.Close([1, 1, 3, 0, 0], batch.AttentionMask, 0);
        TensorAssert.Close([0, 1, 1, 0, 0], batch.LossMask, 0);
        TensorAssert.Close([0, 1, 0, 0, 0], batch.Positions(), 0);
    }

    [Fact]
    public void Truncated_CutsOneSide()
    {
        var example = new TokenExample([1, 2, 3, 4, 5], 2) { Learnt = [false, false, true, false, true] };
        var (start, end) = (example.Truncated(3), example.Truncated(3, TruncationSide.Left));
        Assert.Equal([1, 2, 3], start.Ids);
        Assert.Equal([3, 4, 5], end.Ids);
        Assert.Equal((2, 0), (start.PromptLength, end.PromptLength));
        Assert.Equal([false, false, true], start.Learnt);
        Assert.Equal([true, false, true], end.Learnt);
        Assert.Equal(1, example.Truncated(1).PromptLength);
        Assert.Same(example.Ids, example.Truncated(5).Ids);
        Assert.Throws<ArgumentOutOfRangeException>(() => example.Truncated(-1));
    }

    [Fact]
    public void Pairs_AreChosenRowsThenRejectedOnes()
    {
        using var scope = NewDisposeScope();
        var batch = PairBatch.Of([new(new([1, 2, 3], 1), new([1, 4], 1)), new(new([5, 6], 1), new([5, 7, 8], 1))], paddingId: 0);
        TensorAssert.Close([1, 2, 5, 6, 1, 4, 5, 7], batch.Sequences.Inputs, 0);
        Assert.Equal((2, 3.0, 1.5), (batch.Rows, batch.ChosenTokens, batch.MeanChosenLength));
        TensorAssert.Close([5, 6, 5, 7], batch.Part(1, 1).Inputs, 0);
        TensorAssert.Close([1, 0, 1, 1], batch.Part(1, 1).LossMask, 0);
    }

    [Fact]
    public void BestFit_FillsTheFullestRowThatHasRoom()
    {
        // 5 opens a row with room for 3, 4 one with room for 4; 3 fits the first best, 2 goes to the second and so does the other 2.
        Assert.Equal(
            [
                [0, 2],
                [1, 3, 4],
            ],
            Packing.BestFitDecreasing([5, 4, 3, 2, 2], 8)
        );
        var random = new Random(3);
        int[] lengths = [.. Enumerable.Range(0, 500).Select(_ => random.Next(1, 65))];
        var rows = Packing.BestFitDecreasing(lengths, 64);
        Assert.Equal(Enumerable.Range(0, 500), rows.SelectMany(row => row).Order());
        Assert.All(rows, row => Assert.InRange(row.Sum(index => lengths[index]), 1, 64));
        Assert.InRange(rows.Count, (lengths.Sum() + 63) / 64, (int)(11.0 / 9 * ((lengths.Sum() + 63) / 64)) + 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => Packing.BestFitDecreasing([9], 8));
    }

    [Fact]
    public void PackRows_KeepsOrCutsWhatIsTooLong()
    {
        int[][] sequences =
        [
            [1, 2, 3, 4, 5],
            [],
            [6],
        ];
        Assert.Equal(
            [
                [1, 2, 3],
                [6],
            ],
            Packing.PackRows(sequences, 3).Select(row => row.Ids)
        );
        Assert.Equal(
            [
                [1, 2, 3],
                [4, 5, 6],
            ],
            Packing.PackRows(sequences, 3, PackingStrategy.BestFitSplit).Select(row => row.Ids)
        );
        Assert.Equal(
            [
                [3],
                [2, 1],
            ],
            Packing.PackRows(sequences, 3, PackingStrategy.BestFitSplit).Select(row => row.Lengths)
        );
        Assert.Equal(
            [
                [1, 2, 3, 4],
                [5, 6],
            ],
            Packing.PackRows(sequences, 4, PackingStrategy.Wrapped).Select(row => row.Ids)
        );
    }

    [Fact]
    public void RepeatedOrder_RepeatsPromptsAndBatches()
    {
        Assert.Equal([2, 2, 4, 4, 2, 2, 4, 4, 3, 3, 1, 1, 3, 3, 1, 1], RepeatedOrder.Indices([2, 4, 3, 1, 0], 2, 2, 2));
        Assert.Equal(16, RepeatedOrder.Count(5, 2, 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => RepeatedOrder.Indices([1], 0, 1));
    }

    [Fact]
    public void PromptExtraction_FindsWhatBothBeginWith()
    {
        Assert.Equal(new PreferencePair("a b", " c", " d"), PromptExtraction.Extract("a b c", "a b d"));
        Assert.Equal(new PreferencePair("", "x", "y"), PromptExtraction.Extract("x", "y"));
        Assert.Equal(new PreferencePair("ab", "c", "cd"), PromptExtraction.Extract("abc", "abcd"));
        Assert.Equal(new PreferencePair("a", "😀", "😁"), PromptExtraction.Extract("a😀", "a😁"));
        var (prompt, chosen, rejected) = PromptExtraction.Extract([1, 2, 3], [1, 2, 4, 5]);
        Assert.Equal(([1, 2], [3], [4, 5]), (prompt.ToArray(), chosen.ToArray(), rejected.ToArray()), new ArraysComparer());
        Assert.Throws<ArgumentException>(() => PromptExtraction.Extract("", "a"));
        Assert.Throws<ArgumentException>(() => PromptExtraction.Extract<int>([], [1]));
    }

    private sealed class ArraysComparer : IEqualityComparer<(int[], int[], int[])>
    {
        public bool Equals((int[], int[], int[]) left, (int[], int[], int[]) right) =>
            left.Item1.SequenceEqual(right.Item1) && left.Item2.SequenceEqual(right.Item2) && left.Item3.SequenceEqual(right.Item3);

        public int GetHashCode((int[], int[], int[]) value) => value.Item1.Length;
    }
}
