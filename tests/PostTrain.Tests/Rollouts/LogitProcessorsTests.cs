using PostTrain.Rollouts;
using PostTrain.Rollouts.Logits;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

public sealed class LogitProcessorsTests
{
    private const double Gone = double.NegativeInfinity;

    // Probabilities 1/2, 1/4, 1/8, 1/16, 1/16, and the same backwards.
    private static Tensor Dyadic() => tensor(new[] { 0.5, 0.25, 0.125, 0.0625, 0.0625, 0.0625, 0.0625, 0.125, 0.25, 0.5 }, [2, 5]).log();

    private static bool[] Kept(Tensor scores) => [.. scores.isneginf().logical_not().data<bool>().ToArray()];

    [Fact]
    public void Truncations_OfDyadicProbabilities_KeepWhatTheDefinitionSays()
    {
        using var scope = NewDisposeScope();
        var scores = Dyadic();
        // The two last of the first row are equal to the fourth: ties stay.
        Keeps(LogitProcessors.TopK(scores, 4), 5, 5);
        Keeps(LogitProcessors.TopK(scores, 3), 3, 3);
        Keeps(LogitProcessors.TopK(scores, 99), 5, 5);
        Keeps(LogitProcessors.TopP(scores, 0.75), 2, 2);
        Keeps(LogitProcessors.TopP(scores, 0.76), 3, 3);
        Keeps(LogitProcessors.TopP(scores, 0.1, keep: 4), 4, 4);
        Keeps(LogitProcessors.MinP(scores, 0.2), 3, 3);
        Keeps(LogitProcessors.MinP(scores, 0.25), 3, 3);
        Keeps(LogitProcessors.EpsilonCutoff(scores, 0.1), 3, 3);
        Keeps(LogitProcessors.EpsilonCutoff(scores, 0.9), 1, 1);
        // H = 1.875 bits: the bound is √0.2 · 2^-1.875 = 0.122.
        Keeps(LogitProcessors.EtaCutoff(scores, 0.2), 3, 3);
        // Surprises 1, 2, 3, 4, 4 bits are 0.875, 0.125, 1.125, 2.125 from H: 1/4 comes first, then 1/2, then 1/8.
        Keeps(LogitProcessors.Typical(scores, 0.2), 1, 1);
        Assert.Equal([false, true, false, false, false], Kept(LogitProcessors.Typical(scores, 0.2))[..5]);
        Keeps(LogitProcessors.Typical(scores, 0.7), 2, 2);
        Keeps(LogitProcessors.Typical(scores, 0.8), 3, 3);

        static void Keeps(Tensor scores, params int[] counts) =>
            Assert.Equal(counts, Kept(scores).Chunk(5).Select(row => row.Count(kept => kept)).ToArray());
    }

    [Fact]
    public void Truncations_AtTheirIdentity_ChangeNoBit()
    {
        using var scope = NewDisposeScope();
        var scores = randn(4, 9, dtype: ScalarType.Float64);
        TensorAssert.Same(scores, LogitProcessors.TopK(scores, 9));
        TensorAssert.Same(scores, LogitProcessors.TopP(scores, 1));
        TensorAssert.Same(scores, LogitProcessors.MinP(scores, 0));
        TensorAssert.Same(scores, LogitProcessors.Typical(scores, 1));
        TensorAssert.Same(scores, LogitProcessors.EpsilonCutoff(scores, 0));
        TensorAssert.Same(scores, LogitProcessors.EtaCutoff(scores, 0));
        TensorAssert.Same(scores, LogitProcessors.Temperature(scores, 1));
        var (ids, mask) = (zeros([4, 3], dtype: ScalarType.Int64), ones([4, 3], dtype: ScalarType.Int64));
        TensorAssert.Same(scores, LogitProcessors.RepetitionPenalty(scores, ids, mask, 1));
        TensorAssert.Same(scores, LogitProcessors.NoRepeatNGram(scores, ids, mask, 4));
        TensorAssert.Same(scores, LogitProcessors.SequenceBias(scores, ids, mask, []));
    }

    [Fact]
    public void Context_Processors_ReadRowsApartAndNoPadding()
    {
        using var scope = NewDisposeScope();
        var scores = tensor(new double[] { 2, -2, 3, 4, 2, -2, 3, 4 }, [2, 4]);
        // Row 1 begins with padding whose id is 0.
        var ids = tensor(new long[] { 0, 1, 0, 1, 0, 2, 3, 2 }, [2, 4]);
        var mask = tensor(new long[] { 1, 1, 1, 1, 0, 1, 1, 1 }, [2, 4]);
        TensorAssert.Close([1, -4, 3, 4, 2, -2, 1.5, 2], LogitProcessors.RepetitionPenalty(scores, ids, mask, 2), 0);
        // 1 was followed by 0; 2 was followed by 3.
        TensorAssert.Close([Gone, -2, 3, 4, 2, -2, 3, Gone], LogitProcessors.NoRepeatNGram(scores, ids, mask, 2), 0);
        TensorAssert.Close([Gone, Gone, 3, 4, 2, -2, Gone, Gone], LogitProcessors.NoRepeatNGram(scores, ids, mask, 1), 0);
        // 0,1 has been followed by 0; 3,2 by nothing so far.
        TensorAssert.Close([Gone, -2, 3, 4, 2, -2, 3, 4], LogitProcessors.NoRepeatNGram(scores, ids, mask, 3), 0);
        SequenceBias[] biases = [new([3], 1), new([3], 0.5), new([1, 2], -10), new([0, 2, 3, 2, 1], 7), new([2, 3, 2, 1], 5)];
        TensorAssert.Close([2, -2, -7, 5.5, 2, 3, 3, 5.5], LogitProcessors.SequenceBias(scores, ids, mask, biases), 0);
        TensorAssert.Close(
            [2, -2, Gone, Gone, 2, -2, 3, Gone],
            LogitProcessors.BadWords(
                scores,
                ids,
                mask,
                [
                    [3],
                    [1, 2],
                ]
            ),
            0
        );
        TensorAssert.Close([2, Gone, 3, Gone, 2, Gone, 3, Gone], LogitProcessors.Suppress(scores, [1, 3]), 0);
        TensorAssert.Close([Gone, 0, Gone, Gone, Gone, 0, Gone, Gone], LogitProcessors.Force(scores, [1]), 0);
    }

    [Fact]
    public void Processors_OwnWhatTheyReturn()
    {
        using var scope = NewDisposeScope();
        var scores = randn(3, 7);
        var (ids, mask) = (randint(0, 7, new long[] { 3, 4 }, dtype: ScalarType.Int64), ones([3, 4], dtype: ScalarType.Int64));
        Ownership.Check(
            () => [LogitProcessors.TopP(scores, 0.5), LogitProcessors.Typical(scores, 0.5), LogitProcessors.EtaCutoff(scores, 0.1)],
            scores
        );
        Ownership.Check(
            () =>
                [
                    LogitProcessors.RepetitionPenalty(scores, ids, mask, 2),
                    LogitProcessors.NoRepeatNGram(scores, ids, mask, 2),
                    LogitProcessors.BadWords(
                        scores,
                        ids,
                        mask,
                        [
                            [1, 2],
                            [3],
                        ]
                    ),
                    LogitProcessors.Suppress(scores, [1]),
                    LogitProcessors.Suppress(scores, []),
                ],
            scores,
            ids,
            mask
        );
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var scores = randn(2, 5);
        var ids = zeros([2, 3], dtype: ScalarType.Int64);
        Assert.Throws<ArgumentOutOfRangeException>(() => LogitProcessors.TopK(scores, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => LogitProcessors.TopP(scores, double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => LogitProcessors.MinP(scores, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => LogitProcessors.Suppress(scores, [5]));
        Assert.Contains(
            "[B,V]",
            Assert.Throws<ArgumentException>(() => LogitProcessors.TopK(scores[0], 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "expected [2,L]",
            Assert
                .Throws<ArgumentException>(() => LogitProcessors.NoRepeatNGram(scores, ids[0].unsqueeze(0), ids[0].unsqueeze(0), 1))
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "empty",
            Assert
                .Throws<ArgumentException>(() =>
                    LogitProcessors.BadWords(
                        scores,
                        ids,
                        ids,
                        [
                            [],
                        ]
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the id 9",
            Assert
                .Throws<ArgumentException>(() =>
                    LogitProcessors.BadWords(
                        scores,
                        ids,
                        ids,
                        [
                            [1, 9],
                        ]
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Generate_TemperatureToZero_IsGreedy_AndTruncationsAtTheirIdentityChangeNothing()
    {
        using var model = TinyModels.Create("gpt2");
        int[][] prompts =
        [
            [3, 1, 4],
            [1, 5],
            [9],
        ];
        var options = new SamplingOptions { MaxNewTokens = 10 };
        Assert.Equal(Draw(options with { Temperature = 0 }), Draw(options with { Temperature = 1e-6 }));
        Assert.Equal(Draw(options with { Temperature = 0 }), Draw(options with { TopK = 1 }));
        Assert.Equal(Draw(options), Draw(options with { TopK = 23, MinP = 1e-300, EpsilonCutoff = 1e-300 }));
        Assert.NotEqual(Draw(options), Draw(options with { TopK = 2 }));

        int[][] Draw(SamplingOptions options)
        {
            using var batch = Sampler.Generate(model, prompts, options, seed: 12, paddingId: 0);
            return [.. batch.Completions];
        }
    }

    [Fact]
    public void Generate_Bans_HoldInEveryCompletion()
    {
        using var model = TinyModels.Create("llama");
        int[][] prompts = [.. Enumerable.Range(0, 12).Select(row => new[] { row, 5 })];
        var options = new SamplingOptions
        {
            MaxNewTokens = 18,
            MinNewTokens = 4,
            StopTokens = [1, 2, 3, 4],
            NoRepeatNGramSize = 2,
            BadWords =
            [
                [6],
                [7, 8],
            ],
            Recording = LogProbRecording.Drawn,
        };
        using var batch = Sampler.Generate(model, prompts, options, seed: 2, paddingId: 0);
        for (var row = 0; row < prompts.Length; row++)
        {
            int[] text = [.. prompts[row], .. batch.Completions[row]];
            var pairs = text.Zip(text.Skip(1)).ToList();
            Assert.Equal(pairs.Count, pairs.Distinct().Count());
            Assert.DoesNotContain(6, batch.Completions[row]);
            Assert.DoesNotContain((7, 8), pairs);
            Assert.True(batch.Completions[row].Length >= 4);
        }
    }
}
