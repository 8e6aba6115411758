using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

public sealed class SamplerTests
{
    private static readonly int[][] Prompts =
    [
        [3, 1, 4],
        [1, 5],
        [9, 2, 6, 5, 3],
    ];

    // Logits whose softmax is 1/2, 1/4, 1/8, 1/16, 1/16 after every token.
    private static FixedLogits Dyadic() => new(tensor(new double[] { 8, 4, 2, 1, 1 }).log().repeat(5, 1));

    private static int[] Counts(SamplingOptions options, int draws)
    {
        using var scope = NewDisposeScope();
        using var model = Dyadic();
        using var batch = Sampler.Generate(
            model,
            [.. Enumerable.Repeat(new[] { 0 }, draws / 50)],
            options with
            {
                MaxNewTokens = 50,
            },
            seed: 99,
            paddingId: 0
        );
        var counts = new int[5];
        foreach (var id in batch.Completions.SelectMany(tokens => tokens))
            counts[id]++;
        return counts;
    }

    private static double ChiSquare(int[] counts, params double[] probabilities) =>
        counts
            .Zip(probabilities)
            .Where(pair => pair.Second > 0)
            .Sum(pair => Math.Pow(pair.First - counts.Sum() * pair.Second, 2) / (counts.Sum() * pair.Second));

    [Fact]
    public void Generate_Temperature1_HasTheSoftmaxFrequencies()
    {
        // 18.5 is the 0.1 % point of chi-square with 4 degrees of freedom.
        Assert.InRange(ChiSquare(Counts(new SamplingOptions(), 20_000), 0.5, 0.25, 0.125, 0.0625, 0.0625), 0.01, 18.5);
    }

    [Fact]
    public void Generate_TemperatureHalf_SquaresTheProbabilities()
    {
        // 64 : 16 : 4 : 1 : 1 of 86.
        Assert.InRange(
            ChiSquare(Counts(new SamplingOptions { Temperature = 0.5 }, 20_000), 64 / 86.0, 16 / 86.0, 4 / 86.0, 1 / 86.0, 1 / 86.0),
            0.01,
            18.5
        );
    }

    [Fact]
    public void Generate_TopK_DrawsFromExactlyTheKBest()
    {
        var counts = Counts(new SamplingOptions { TopK = 3 }, 20_000);
        Assert.Equal([0, 0], counts[3..]);
        Assert.InRange(ChiSquare(counts[..3], 4 / 7.0, 2 / 7.0, 1 / 7.0), 0.001, 13.9);
    }

    [Theory]
    [InlineData(0.5, 1)]
    [InlineData(0.51, 2)]
    [InlineData(0.75, 2)]
    [InlineData(0.76, 3)]
    [InlineData(0.9, 4)]
    [InlineData(0.01, 1)]
    public void Generate_TopP_DrawsFromTheSmallestSetThatReachesP(double p, int kept)
    {
        var counts = Counts(new SamplingOptions { TopP = p }, 5_000);
        Assert.Equal(kept, counts.Count(count => count > 0));
        // The last two are equally likely.
        Assert.All(counts[..Math.Min(kept, 3)], count => Assert.True(count > 0));
    }

    [Fact]
    public void Generate_TopPAfterTopK_CountsInTheKeptMass()
    {
        // Of the two best the first has 2/3: over 0.6, although it has only 1/2 of everything.
        var counts = Counts(new SamplingOptions { TopK = 2, TopP = 0.6 }, 1_000);
        Assert.Equal([1000, 0, 0, 0, 0], counts);
    }

    [Fact]
    public void Generate_SuppressedTokens_NeverComeAndHaveNoProbability()
    {
        using var scope = NewDisposeScope();
        using var model = Dyadic();
        var options = new SamplingOptions { SuppressedTokens = [0, 4], MaxNewTokens = 40 };
        using var batch = Sampler.Generate(model, [.. Enumerable.Repeat(new[] { 0 }, 20)], options, seed: 5, paddingId: 0);
        var ids = batch.Ids.narrow(1, 1, 40);
        Assert.Equal([1L, 2L, 3L], ids.reshape(-1).data<long>().ToArray().Distinct().Order());
        // 1/4, 1/8, 1/16 of 7/16.
        var expected = tensor(new double[] { 0, 4 / 7.0, 2 / 7.0, 1 / 7.0, 0 }).log().index_select(0, ids.reshape(-1)).reshape(ids.shape);
        TensorAssert.Close(expected, batch.LogProbs, 1e-12);
    }

    [Fact]
    public void Generate_LogProbs_AreThoseOfTrainingWhateverTheTruncation()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions
        {
            Temperature = 0.7,
            TopK = 4,
            TopP = 0.9,
            MaxNewTokens = 8,
            StopTokens = [7, 8],
        };
        using var batch = Sampler.Generate(model, Prompts, options, seed: 3, paddingId: 0);
        var length = batch.LogProbs.size(1);
        var hidden = model.Hidden(batch.Ids, batch.AttentionMask).narrow(1, batch.PromptLength - 1, length);
        var recomputed = (model.Project(hidden) / 0.7)
            .log_softmax(-1)
            .gather(2, batch.Ids.narrow(1, batch.PromptLength, length).unsqueeze(-1))
            .squeeze(-1);
        TensorAssert.Close(recomputed * batch.CompletionMask, batch.LogProbs, 1e-12);
    }

    [Fact]
    public void Generate_Greedy_TakesTheArgmaxOfTheUncachedModel()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2");
        using var batch = Sampler.Generate(
            model,
            Prompts,
            new SamplingOptions { Temperature = 0, MaxNewTokens = 6 },
            seed: 0,
            paddingId: 0
        );
        for (var row = 0; row < Prompts.Length; row++)
        {
            var tokens = Prompts[row].Select(id => (long)id).ToList();
            for (var step = 0; step < 6; step++)
            {
                var best = model.call(tensor(tokens.ToArray(), [1, tokens.Count])).select(1, tokens.Count - 1).argmax(-1).ToInt64();
                Assert.Equal(best, batch.Completions[row][step]);
                tokens.Add(best);
            }
        }
    }

    [Fact]
    public void Generate_StopTokens_EndRowsAndTheBatch()
    {
        // 0 → 1 → 2 → 3 → 3 ...; 3 stops. The prompts start at different distances from it.
        using var scope = NewDisposeScope();
        using var model = new FixedLogits(
            full([4, 4], -30.0, dtype: ScalarType.Float64)
                + 60 * tensor(new double[] { 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1 }, [4, 4])
        );
        var options = new SamplingOptions { MaxNewTokens = 50, StopTokens = [3] };
        using var batch = Sampler.Generate(
            model,
            [
                [0],
                [2],
                [1, 1],
            ],
            options,
            seed: 1,
            paddingId: 2
        );
        Assert.Equal([1, 2, 3], batch.Completions[0]);
        Assert.Equal([3], batch.Completions[1]);
        Assert.Equal([2, 3], batch.Completions[2]);
        Assert.Equal([true, true, true], batch.Finished);
        Assert.Equal(2, batch.PromptLength);
        TensorAssert.Close([2, 0, 1, 2, 3, 2, 2, 3, 2, 2, 1, 1, 2, 3, 2], batch.Ids, 0);
        TensorAssert.Close([0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0], batch.AttentionMask, 0);
        TensorAssert.Close([1, 1, 1, 1, 0, 0, 1, 1, 0], batch.CompletionMask, 0);
        TensorAssert.Zero(batch.LogProbs.masked_select(batch.CompletionMask.eq(0)));

        using var cut = Sampler.Generate(
            model,
            [
                [0],
                [2],
            ],
            options with
            {
                MaxNewTokens = 2,
            },
            seed: 1,
            paddingId: 2
        );
        Assert.Equal([false, true], cut.Finished);
    }

    [Fact]
    public void Generate_SameSeed_SameTokens_AndRowsDoNotDependOnEachOther()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions { MaxNewTokens = 12 };
        using var first = Sampler.Generate(model, Prompts, options, seed: 42, paddingId: 0);
        using var second = Sampler.Generate(model, Prompts, options, seed: 42, paddingId: 22);
        using var other = Sampler.Generate(model, Prompts, options, seed: 43, paddingId: 0);
        Assert.Equal(first.Completions, second.Completions);
        Assert.NotEqual(first.Completions, other.Completions);
        for (var row = 0; row < Prompts.Length; row++)
        {
            using var alone = Sampler.Generate(model, [Prompts[row]], options with { FirstRow = row }, seed: 42, paddingId: 0);
            Assert.Equal(first.Completions[row], alone.Completions[0]);
        }

        using var twins = Sampler.Generate(model, [Prompts[0], Prompts[0]], options, seed: 42, paddingId: 0);
        Assert.NotEqual(twins.Completions[0], twins.Completions[1]);
    }

    [Fact]
    public void Generate_AtTheEndOfTheContext_Stops()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        using var batch = Sampler.Generate(model, [new int[23], [1]], new SamplingOptions(), seed: 1, paddingId: 0);
        // The context has 24 positions: one is left to the first row, 23 to the second.
        Assert.Equal([1, 23], batch.Completions.Select(tokens => tokens.Length));
        Assert.Equal([false, false], batch.Finished);
    }

    [Fact]
    public void Generate_BadArguments_AreNamed()
    {
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions();
        Assert.Contains(
            "Prompt 1 has 24 tokens; the limit is 23",
            Refusal(
                [
                    [1],
                    new int[24],
                ],
                options
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Prompt 1 is empty",
            Refusal(
                [
                    [1],
                    [],
                ],
                options
            ),
            StringComparison.Ordinal
        );
        Assert.Contains("at least one prompt", Refusal([], options), StringComparison.Ordinal);
        Assert.Contains(
            "Prompt 0 holds the id 23",
            Refusal(
                [
                    [23],
                ],
                options
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Temperature",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    Temperature = double.NaN,
                }
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "TopP",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    TopP = 0,
                }
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "TopK",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    TopK = -1,
                }
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "MaxNewTokens",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    MaxNewTokens = 0,
                }
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "StopTokens",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    StopTokens = [23],
                }
            ),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "leave at least one",
            Refusal(
                [
                    [1],
                ],
                options with
                {
                    SuppressedTokens = [.. Enumerable.Range(0, 23)],
                }
            ),
            StringComparison.Ordinal
        );
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() =>
            Sampler.Generate(
                model,
                [
                    [1],
                ],
                options,
                1,
                0,
                cancelled.Token
            )
        );

        string Refusal(int[][] prompts, SamplingOptions given) =>
            Assert.ThrowsAny<ArgumentException>(() => Sampler.Generate(model, prompts, given, seed: 1, paddingId: 0)).Message;
    }

    [Fact]
    public void Generate_LeavesNothingButTheBatchAlive()
    {
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions
        {
            MaxNewTokens = 9,
            TopK = 5,
            TopP = 0.9,
            SuppressedTokens = [0],
            StopTokens = [1, 2],
        };
        Sampler.Generate(model, Prompts, options, seed: 1, paddingId: 0).Dispose();
        var before = Alive;
        using (NewDisposeScope())
        {
            using var batch = Sampler.Generate(model, Prompts, options, seed: 2, paddingId: 0);
            Assert.Equal(before + 5, Alive);
        }

        Assert.Equal(before, Alive);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Sampler.Generate(model, Prompts, options, 1, 0, cancelled.Token));
        Assert.Equal(before, Alive);
    }

    private static long Alive => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
