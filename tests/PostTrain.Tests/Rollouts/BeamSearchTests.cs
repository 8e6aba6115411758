using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

public sealed class BeamSearchTests
{
    [Fact]
    public void Generate_AsManyBeamsAsTexts_FindsTheLikeliestOfAll()
    {
        using var scope = NewDisposeScope();
        // Tokens 0 to 2; 9 texts of two tokens after 0, and beams for all of them.
        using var model = new FixedLogits(tensor(new[] { 0.1, 0.5, 0.4, 0.3, 0.3, 0.4, 0.8, 0.1, 0.1 }, [3, 3]).log());
        var found = BeamSearch.Generate(
            model,
            [
                [0],
            ],
            new BeamOptions
            {
                Beams = 9,
                Returned = 3,
                LengthPenalty = 0,
            },
            new SamplingOptions { MaxNewTokens = 2 },
            0
        )[0];
        // 0.4 · 0.8 = 0.32 beats 0.5 · 0.4 = 0.2, where a greedy search begins with the 0.5; then 0.5 · 0.3 twice.
        Assert.Equal([2, 0], found[0].Tokens);
        Assert.Equal([1, 2], found[1].Tokens);
        Assert.Equal(Math.Log(0.32), found[0].Score, 12);
        Assert.Equal(Math.Log(0.2), found[1].Score, 12);
        Assert.All(found, hypothesis => Assert.False(hypothesis.Finished));
    }

    [Theory]
    [InlineData(0.0, false)]
    [InlineData(1.0, true)]
    public void Generate_LengthPenalty_DecidesBetweenShortAndLong(double penalty, bool prefersLong)
    {
        using var scope = NewDisposeScope();
        // From 0: stop (2) with 0.4, else 1 with 0.6; from 1: stop with 0.6, 1 again with 0.4. ln 0.4 = −0.92; ln 0.36 = −1.02, halved
        // −0.51.
        using var model = new FixedLogits(tensor(new[] { 1e-30, 0.6, 0.4, 1e-30, 0.4, 0.6, 1e-30, 0.5, 0.5 }, [3, 3]).log());
        var best = BeamSearch.Generate(
            model,
            [
                [0],
            ],
            new BeamOptions { Beams = 2, LengthPenalty = penalty },
            new SamplingOptions { MaxNewTokens = 8, StopTokens = [2] },
            0
        )[0][0];
        Assert.Equal(prefersLong ? [1, 2] : [2], best.Tokens);
        Assert.Equal(prefersLong ? Math.Log(0.36) / 2 : Math.Log(0.4), best.Score, 12);
        Assert.True(best.Finished);
    }

    [Fact]
    public void Generate_OneBeam_IsGreedy()
    {
        using var model = TinyModels.Create("llama");
        int[][] prompts =
        [
            [3, 1, 4],
            [1, 5],
            [9, 2, 6, 5, 3],
        ];
        var options = new SamplingOptions
        {
            MaxNewTokens = 7,
            Temperature = 0,
            RepetitionPenalty = 1.2,
            NoRepeatNGramSize = 2,
        };
        using var greedy = Sampler.Generate(model, prompts, options with { RepetitionPenalty = 1 }, 0, 0);
        var beams = BeamSearch.Generate(model, prompts, new BeamOptions { Beams = 1 }, options with { RepetitionPenalty = 1 }, 0);
        for (var row = 0; row < prompts.Length; row++)
        {
            Assert.Equal(greedy.Completions[row], beams[row][0].Tokens);
            // A prompt's search does not depend on those beside it.
            var alone = BeamSearch.Generate(model, [prompts[row]], new BeamOptions { Beams = 3, Returned = 3 }, options, 0)[0];
            var together = BeamSearch.Generate(model, prompts, new BeamOptions { Beams = 3, Returned = 3 }, options, 0)[row];
            Assert.Equal(alone.Select(hypothesis => hypothesis.Tokens), together.Select(hypothesis => hypothesis.Tokens));
        }
    }

    [Theory]
    [InlineData(BeamStopping.WhenFull)]
    [InlineData(BeamStopping.WhenNoBetterIsLikely)]
    [InlineData(BeamStopping.WhenNoBetterIsPossible)]
    public void Generate_Scores_AreTheCompletionsLogProbs(BeamStopping stopping)
    {
        using var scope = NewDisposeScope();
        using var model = TinyModels.Create("gpt2");
        int[] prompt = [4, 8, 15];
        var found = BeamSearch.Generate(
            model,
            [prompt],
            new BeamOptions
            {
                Beams = 4,
                Returned = 4,
                LengthPenalty = 0.7,
                Stopping = stopping,
            },
            new SamplingOptions { MaxNewTokens = 9, StopTokens = [1, 2, 3] },
            0
        )[0];
        Assert.Equal(4, found.Count);
        Assert.Equal(found.Select(hypothesis => hypothesis.Score).OrderDescending(), found.Select(hypothesis => hypothesis.Score));
        foreach (var hypothesis in found)
        {
            long[] ids = [.. prompt.Concat(hypothesis.Tokens).Select(id => (long)id)];
            var logProbs = model.call(tensor(ids, [1, ids.Length])).log_softmax(-1)[0];
            var sum = Enumerable.Range(prompt.Length, hypothesis.Tokens.Count).Sum(i => logProbs[i - 1, ids[i]].ToDouble());
            Assert.Equal(sum / Math.Pow(hypothesis.Tokens.Count, 0.7), hypothesis.Score, 10);
            Assert.Equal(hypothesis.Finished, hypothesis.Tokens[^1] is 1 or 2 or 3);
        }
    }

    [Fact]
    public void Generate_LeavesNothingAlive_AndNamesBadOptions()
    {
        using var model = TinyModels.Create("llama");
        var options = new SamplingOptions
        {
            MaxNewTokens = 5,
            StopTokens = [1],
            BadWords =
            [
                [2, 3],
            ],
        };
        BeamSearch.Generate(
            model,
            [
                [3],
                [4, 5],
            ],
            new BeamOptions(),
            options,
            0
        );
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        BeamSearch.Generate(
            model,
            [
                [3],
                [4, 5],
            ],
            new BeamOptions(),
            options,
            0
        );
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [3],
                ],
                new BeamOptions { Beams = 0 },
                options,
                0
            )
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [3],
                ],
                new BeamOptions { Beams = 2, Returned = 3 },
                options,
                0
            )
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [3],
                ],
                new BeamOptions { LengthPenalty = double.NaN },
                options,
                0
            )
        );
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [3],
                ],
                new BeamOptions(),
                options,
                0,
                cancelled.Token
            )
        );
    }
}
