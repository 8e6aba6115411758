using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Tests.Models;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>Where the context ends: each row by its own prompt, whatever prompts stand beside it.</summary>
[Collection("Sequential")]
public sealed class ContextEndTests
{
    // Contexts of 24: room for 22, 1, 14, 3, 19 and 22 tokens.
    private static readonly int[][] Prompts = [Prompt(2), Prompt(23), Prompt(10), Prompt(21), Prompt(5), Prompt(2)];

    public static TheoryData<string> Architectures => [.. TinyModels.All.Keys];

    private static int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(i => (7 * length + 3 * i) % 23)];

    [Fact]
    public void Row_GetsItsOwnRoom_BesideALongPrompt()
    {
        using var model = Toy.Model();
        var options = new SamplingOptions { MaxNewTokens = 8 };
        int[] small = [3, 4],
            large = [.. Enumerable.Range(1, 14)];
        using var alone = Sampler.Generate(model, [small], options, 5, 0);
        using var both = Sampler.Generate(model, [small, large], options, 5, 0);
        Assert.Equal(8, both.Completions[0].Length);
        Assert.Equal(alone.Completions[0], both.Completions[0]);
        Assert.Equal(2, both.Completions[1].Length);
        Assert.Equal([2L, 22], both.Ids.shape);
        Assert.Equal([false, false], both.Finished);
        using var all = Sampler.Generate(model, [large, small], options with { MaxNewTokens = 100 }, 5, 0);
        Assert.Equal([2, 14], all.Completions.Select(tokens => tokens.Length));
    }

    [Theory]
    [MemberData(nameof(Architectures))]
    public void EveryArchitecture_DrawsARowAsAlone_AndScoresItAsDrawn(string name)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create(name);
        Check(model, scores: name != "llama-dynamic");
    }

    [Fact]
    public void Wrappers_DrawARowAsAlone_AndScoreItAsDrawn()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama");
        using (var prompted = new SoftPromptLm(model, PromptTable.Random(3, 16, 1, type: ScalarType.Float64)))
            Check(prompted);
        using (var prefixed = new PrefixLm(model, PromptTable.Random(3, PrefixLm.WidthFor(model), 1, type: ScalarType.Float64)))
            Check(prefixed);
        using var module = new ModuleLm(new Recurrent(23, 1), 23, 24);
        Check(module, tolerance: 1e-5);
        using var packed = TinyModels.Create("gpt2");
        packed.PaddingFree = true;
        Check(packed);
    }

    private static void Check(CausalLm model, bool scores = true, double tolerance = 1e-10)
    {
        int[][] prompts = [.. Prompts.Select(prompt => prompt[..Math.Min(prompt.Length, model.ContextLength - 1)])];
        foreach (
            var options in new SamplingOptions[]
            {
                new() { MaxNewTokens = 100 },
                new()
                {
                    MaxNewTokens = 15,
                    StopTokens = [2, 5],
                    RepetitionPenalty = 1.2,
                },
                new() { MaxNewTokens = 100, Temperature = 0 },
            }
        )
        {
            using var together = Sampler.Generate(model, prompts, options with { Recording = LogProbRecording.Drawn }, 4, 0);
            for (var row = 0; row < prompts.Length; row++)
            {
                using var alone = Sampler.Generate(model, [prompts[row]], options with { FirstRow = row }, 4, 0);
                Assert.Equal(alone.Completions[0], together.Completions[row]);
                Assert.Equal(alone.Finished[0], together.Finished[row]);
                var length = together.Completions[row].Length;
                if (!together.Finished[row])
                    Assert.Equal(Math.Min(options.MaxNewTokens, model.ContextLength - prompts[row].Length), length);
                TensorAssert.Close(
                    alone.DrawnLogProbs[0].narrow(0, 0, length),
                    together.LogProbs[row].narrow(0, 0, length),
                    tolerance,
                    "log-probs"
                );
            }

            if (!scores)
                continue;
            TensorAssert.Close(together.LogProbs, together.Score(model, options), tolerance, "scored");
        }
    }

    [Fact]
    public void Pass_WiderThanTheContext_RefusesASequenceThatIsLonger()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyModels.Create("gpt2");
        using var module = new ModuleLm(new Recurrent(23, 1), 23, 24);
        foreach (var model in new CausalLm[] { decoder, module })
        {
            var ids = Numbers.Ids(1, 23, 2, 30);
            var mask = ones(2, 30, dtype: ScalarType.Int64);
            mask.narrow(1, 0, 6).zero_();
            Assert.Equal([2L, 30, 23], model.Project(model.Hidden(ids, mask)).shape);
            mask[0, 5] = 1;
            Assert.Contains(
                "has 25 positions",
                Assert.Throws<ArgumentException>(() => model.Hidden(ids, mask)).Message,
                StringComparison.Ordinal
            );
            // Two sequences of 15 in a row are short ones.
            var segments = cat([ones(2, 15, dtype: ScalarType.Int64), full([2, 15], 2, dtype: ScalarType.Int64)], 1);
            var packed = model.Project(model.Hidden(ids, segments));
            TensorAssert.Close(model.call(ids.narrow(1, 15, 15)), packed.narrow(1, 15, 15), 1e-5, "second sequence");
        }
    }

    [Fact]
    public async Task StreamAsync_EndsEachRowWhereItsContextEnds()
    {
        using var model = Toy.Model();
        int[][] prompts =
        [
            [3, 4],
            [.. Enumerable.Range(1, 14)],
            [5, 6, 7],
        ];
        var options = new SamplingOptions { MaxNewTokens = 12 };
        using var batch = Sampler.Generate(model, prompts, options, 9, Toy.Tokenizer);
        var pieces = new List<RolloutPiece>();
        await foreach (var piece in Sampler.StreamAsync(model, prompts, options, 9, Toy.Tokenizer))
            pieces.Add(piece);
        for (var row = 0; row < prompts.Length; row++)
        {
            var own = pieces.Where(piece => piece.Row == row).ToList();
            Assert.Equal(batch.Completions[row], own.Select(piece => piece.Token));
            Assert.Equal([.. Enumerable.Repeat(false, own.Count - 1), true], own.Select(piece => piece.IsLast));
        }

        Assert.Equal([12, 2, 12], batch.Completions.Select(tokens => tokens.Length));
    }

    [Theory]
    [InlineData(BeamStopping.WhenFull)]
    [InlineData(BeamStopping.WhenNoBetterIsLikely)]
    [InlineData(BeamStopping.WhenNoBetterIsPossible)]
    public void BeamSearch_OfAPrompt_DoesNotDependOnTheOthersRoom(BeamStopping stopping)
    {
        using var model = TinyModels.Create("llama");
        var beams = new BeamOptions
        {
            Beams = 3,
            Returned = 3,
            Stopping = stopping,
        };
        var options = new SamplingOptions { MaxNewTokens = 16, StopTokens = [2, 5] };
        var together = BeamSearch.Generate(model, Prompts, beams, options, 0);
        for (var row = 0; row < Prompts.Length; row++)
        {
            var alone = BeamSearch.Generate(model, [Prompts[row]], beams, options, 0)[0];
            Assert.Equal(alone.Select(hypothesis => hypothesis.Tokens), together[row].Select(hypothesis => hypothesis.Tokens));
            Assert.All(alone.Zip(together[row]), pair => Assert.Equal(pair.First.Score, pair.Second.Score, 1e-10));
        }
    }

    // Under dynamic scaling a row longer than the original length changes its own angles only.
    [Fact]
    public void DynamicScaling_OfARow_DoesNotDependOnTheRowsBeside()
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("llama-dynamic");
        var ids = Numbers.Ids(3, 23, 2, 20);
        var mask = ones(2, 20, dtype: ScalarType.Int64);
        mask[0].narrow(0, 0, 6).zero_();
        var together = model.Project(model.Hidden(ids, mask));
        TensorAssert.Close(model.call(ids.narrow(0, 0, 1).narrow(1, 6, 14))[0], together[0].narrow(0, 6, 14), 1e-10, "14 tokens");
        TensorAssert.Close(model.call(ids.narrow(0, 1, 1))[0], together[1], 1e-10, "20 tokens");
    }

    [Fact]
    public async Task Training_OnPromptsOfSeveralLengths_GivesEachItsRoom()
    {
        var lengths = new Dictionary<string, int>();
        var reward = Reward.Of(
            "length",
            completion =>
            {
                lock (lengths)
                    lengths[completion.Problem.Prompt] = completion.Tokens.Length;
                return completion.Tokens.Length > 0 && completion.Tokens[0] % 2 == 0 ? 1 : 0;
            }
        );
        using var model = Toy.Model();
        Problem[] problems = [new("1+"), new("1+2+3+4+5+6+78")];
        var options = GrpoRuns.Small with
        {
            Steps = 2,
            Sampling = new SamplingOptions { MaxNewTokens = 8, SuppressedTokens = [0, 1] },
        };
        var reports = await GrpoRuns.Train(model, reward, options, problems: problems);
        Assert.All(reports, report => Assert.True(double.IsFinite(report.Loss)));
        Assert.Equal(8, lengths["1+"]);
        Assert.Equal(2, lengths["1+2+3+4+5+6+78"]);
    }
}
