using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.Tests.Data;

public sealed class CollationTests
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
    public void StandardDeviation_LeavesOutNaN()
    {
        // 1 and 3: mean 2, squares 1 + 1, over n − 1 = 1.
        var values = tensor(
            new double[,]
            {
                { 1, double.NaN, 3 },
                { double.NaN, 5, double.NaN },
            }
        );
        TensorAssert.Close([Math.Sqrt(2), double.NaN], NanStatistics.StandardDeviation(values, 1), 1e-12);
        Assert.Equal([2L, 1L], NanStatistics.StandardDeviation(values, 1, keepDim: true).shape);
        TensorAssert.Close(2, NanStatistics.StandardDeviation(values), 1e-12);
        Ownership.Check(() => [NanStatistics.StandardDeviation(values, 1)], values);
    }

    [Fact]
    public void PaddingFree_BeginsEachSequenceAnew()
    {
        using var batch = Collation.PaddingFree([new([1, 2, 3], null, [2, 1]), new([4, 5], [4, 5], [2])], 0, padToMultipleOf: 8);
        TensorAssert.Close([1, 2, 3, 4, 5, 0, 0, 0], batch.Ids, 0);
        TensorAssert.Close([-100, 2, -100, -100, 5, -100, -100, -100], batch.Labels, 0);
        TensorAssert.Close([0, 1, 0, 0, 1, 0, 0, 0], batch.Positions!, 0);
        Assert.Null(batch.AttentionMask);
        Assert.Contains(
            "add up",
            Assert.Throws<ArgumentException>(() => Collation.PaddingFree([new([1, 2], null, [3])], 0)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => Collation.LanguageModel([new([1, 2], [1])], 0));
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

    [Fact]
    public void ChatMl_RenamesFieldsAndLeavesTheInput()
    {
        var example = JsonNode
            .Parse(
                """{"prompt":[{"from":"user","value":"a"}],"conversations":[{"from":"gpt","value":"b","weight":1}],"chosen":"text","x":[{"from":1}]}"""
            )!
            .AsObject();
        string before = example.ToJsonString();
        Assert.Equal(
            """{"prompt":[{"role":"user","content":"a"}],"chosen":"text","x":[{"from":1}],"messages":[{"weight":1,"role":"gpt","content":"b"}]}""",
            ChatMl.Convert(example).ToJsonString()
        );
        Assert.Equal(before, example.ToJsonString());
    }

    private sealed class ArraysComparer : IEqualityComparer<(int[], int[], int[])>
    {
        public bool Equals((int[], int[], int[]) left, (int[], int[], int[]) right) =>
            left.Item1.SequenceEqual(right.Item1) && left.Item2.SequenceEqual(right.Item2) && left.Item3.SequenceEqual(right.Item3);

        public int GetHashCode((int[], int[], int[]) value) => value.Item1.Length;
    }
}
