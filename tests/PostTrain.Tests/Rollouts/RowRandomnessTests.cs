using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>A row's sample is a function of the seed, the row's number and its prompt, whatever rows stand beside it.</summary>
public sealed class RowRandomnessTests
{
    private static readonly int[][] Prompts =
    [
        [3, 1, 4],
        [1, 5],
        [9, 2, 6, 5, 3],
        [5, 8],
        [9],
        [7, 9, 3, 2],
        [3, 8, 4],
    ];
    private static readonly ulong[] Keys = [17, 4, ulong.MaxValue, 0, 99, 5, 1UL << 40];

    [Theory]
    [InlineData("llama")]
    [InlineData("gpt2")]
    public void RowSeeds_PermutedAndDroppedRows_ChangeNothing(string name)
    {
        using var model = TinyModels.Create(name);
        // Stop tokens, so that rows leave the batch at different times.
        var options = new SamplingOptions
        {
            MaxNewTokens = 14,
            StopTokens = [2, 3, 11],
            Temperature = 1.1,
            TopP = 0.95,
            RepetitionPenalty = 1.1,
        };
        var all = Draw(model, options, Enumerable.Range(0, Prompts.Length));
        Assert.True(all.Select(tokens => tokens.Length).Distinct().Count() > 2);
        var random = new Random(5);
        for (var trial = 0; trial < 20; trial++)
        {
            var chosen = Enumerable.Range(0, Prompts.Length).OrderBy(_ => random.Next()).Take(1 + trial % Prompts.Length).ToArray();
            var some = Draw(model, options, chosen);
            for (var i = 0; i < chosen.Length; i++)
                Assert.Equal(all[chosen[i]], some[i]);
        }
    }

    [Fact]
    public void RowSeeds_AreFirstRowsNumbersWhereNoneAreGiven()
    {
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions { MaxNewTokens = 8, FirstRow = 40 };
        using var numbered = Sampler.Generate(model, Prompts[..2], options, 6, 0);
        using var named = Sampler.Generate(model, Prompts[..2], options with { FirstRow = 0, RowSeeds = [40, 41] }, 6, 0);
        using var equal = Sampler.Generate(model, [Prompts[0], Prompts[0]], options with { RowSeeds = [7, 7] }, 6, 0);
        Assert.Equal(numbered.Completions, named.Completions);
        Assert.Equal(equal.Completions[0], equal.Completions[1]);
        var error = Assert.Throws<ArgumentException>(() => Sampler.Generate(model, Prompts, options with { RowSeeds = [1] }, 6, 0));
        Assert.Contains("RowSeeds has 1 numbers, expected 7", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EndedRows_LeaveWithoutATraceInTheOthers()
    {
        // Rows that end at once, beside rows that go on: the batch shrinks, and every row keeps its place.
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions { MaxNewTokens = 12, StopTokens = [.. Enumerable.Range(0, 12)] };
        int[][] prompts = [.. Enumerable.Range(0, 16).Select(row => Prompts[row % Prompts.Length])];
        using var batch = Sampler.Generate(model, prompts, options, 3, 0);
        Assert.InRange(batch.Completions.Select(tokens => tokens.Length).Distinct().Count(), 3, 12);
        for (var row = 0; row < prompts.Length; row++)
        {
            using var alone = Sampler.Generate(model, [prompts[row]], options with { FirstRow = row }, 3, 0);
            Assert.Equal(alone.Completions[0], batch.Completions[row]);
            Assert.Equal(alone.Finished[0], batch.Finished[row]);
            TensorAssert.Close(alone.LogProbs[0], batch.LogProbs[row].narrow(0, 0, alone.LogProbs.size(1)), 1e-12);
            Assert.Equal(alone.Completions[0].Length, (int)batch.CompletionMask[row].sum().ToDouble());
        }
    }

    private static int[][] Draw(CausalLm model, SamplingOptions options, IEnumerable<int> chosen)
    {
        int[] rows = [.. chosen];
        using var batch = Sampler.Generate(
            model,
            [.. rows.Select(row => Prompts[row])],
            options with
            {
                RowSeeds = [.. rows.Select(row => Keys[row])],
            },
            seed: 8,
            paddingId: 0
        );
        return [.. batch.Completions];
    }
}
