using System.Collections.Concurrent;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.RewardModeling;
using PostTrain.Rewards.Judges;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using TorchSharp;

namespace PostTrain.Tests.Recipes;

[Collection("Sequential")]
public sealed class RlaifTests
{
    private static readonly Problem[] Problems = [new("0="), new("1+1="), new("2="), new("7=")];
    private static readonly AiFeedbackOptions Short = new()
    {
        PairsPerProblem = 4,
        Sampling = new SamplingOptions { MaxNewTokens = 4 },
    };

    // σ of the difference in a's: what a judge that likes a's and is not quite sure would say.
    private static readonly PairJudge LikesAs = (_, first, second, _) => Task.FromResult(1 / (1 + Math.Exp(As(second) - As(first))));

    [Fact]
    public async Task Collect_PutsTheBetterFirst_WithTheJudgesProbability()
    {
        using var model = Toy.Model();
        var asked = new ConcurrentBag<(string, string, string)>();
        var batches = await Collect(
            model,
            Short,
            (problem, first, second, token) =>
            {
                asked.Add((problem.Prompt, first, second));
                return LikesAs(problem, first, second, token);
            }
        );
        var pairs = batches.SelectMany(batch => batch.Pairs).ToArray();
        Assert.Equal(16, pairs.Length + batches.Sum(batch => batch.Same));
        Assert.Equal(asked.Count, pairs.Length);
        foreach (var pair in pairs)
        {
            Assert.Contains(
                asked,
                item => item == (pair.Prompt, pair.Chosen, pair.Rejected) || item == (pair.Prompt, pair.Rejected, pair.Chosen)
            );
            Assert.NotEqual(pair.Chosen, pair.Rejected);
            Assert.True(As(pair.Chosen) >= As(pair.Rejected));
            Assert.Equal(1 / (1 + Math.Exp(As(pair.Rejected) - As(pair.Chosen))), pair.Probability, 1e-12);
        }
        Assert.Equal(Problems.Select(problem => problem.Prompt), pairs.Select(pair => pair.Prompt).Distinct());
    }

    // In float64 a row does not depend on the rows beside it.
    [Fact]
    public async Task Collect_DoesNotDependOnBatchesOrParallelism()
    {
        using var model = Toy.Model(type: torch.ScalarType.Float64);
        var whole = await Collect(model, Short with { Parallelism = 1 }, LikesAs);
        var parts = await Collect(
            model,
            Short with
            {
                Parallelism = 7,
                BatchSize = 3,
            },
            async (problem, first, second, token) =>
            {
                await Task.Yield();
                return await LikesAs(problem, first, second, token);
            }
        );
        Assert.Equal(6, parts.Count);
        Assert.Equal(whole.SelectMany(batch => batch.Pairs), parts.SelectMany(batch => batch.Pairs));
    }

    [Fact]
    public async Task Collect_MissingVerdictsAreCounted_ImpossibleOnesThrow_CancellingEnds()
    {
        using var model = Toy.Model();
        var batches = await Collect(
            model,
            Short,
            (_, first, _, _) => Task.FromResult(first.Contains('a', StringComparison.Ordinal) ? double.NaN : 1)
        );
        Assert.Equal(16, batches.Sum(batch => batch.Pairs.Count + batch.Same + batch.WithoutVerdict));
        Assert.True(batches.Sum(batch => batch.WithoutVerdict) > 0);
        Assert.All(batches.SelectMany(batch => batch.Pairs), pair => Assert.DoesNotContain('a', pair.Chosen.Text));

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Collect(model, Short, (_, _, _, _) => Task.FromResult(1.5)));
        Assert.Contains("the judge gave 1.5, expected 0 to 1", error.Message, StringComparison.Ordinal);

        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Collect(
                model,
                Short with
                {
                    BatchSize = 4,
                },
                (_, _, _, token) =>
                {
                    source.Cancel();
                    return Task.FromResult(1.0);
                },
                source.Token
            )
        );
    }

    [Fact]
    public async Task Run_ThreeStages_MakeWhatTheJudgeLikesMoreFrequent()
    {
        using var model = Toy.Model();
        using var rewardModel = SequenceClassifier.For(model.Copy());
        var options = new RlaifOptions
        {
            Feedback = Short with { PairsPerProblem = 16 },
            RewardModel = rewardModel,
            RewardTraining = new RewardOptions
            {
                Steps = 60,
                BatchSize = 16,
                LearningRate = 1e-2,
            },
            Reinforcement = RlaifOptions.Reinforce with { Steps = 30, BatchSize = 4, LearningRate = 1e-2, Sampling = Short.Sampling },
        };
        double before = await Share(model);
        var reports = new List<RecipeReport>();
        await foreach (var report in new Rlaif(model, Toy.Tokenizer, LikesAs, options).RunAsync(Problems))
            reports.Add(report);
        Assert.Equal([Rlaif.Feedback, Rlaif.RewardModel, Rlaif.Reinforcement], reports.Select(report => report.Stage).Distinct());
        Assert.Equal([1, 60, 30], reports.GroupBy(report => report.Stage).Select(stage => stage.Count()));
        Assert.True(reports[0].Step.Metrics["feedback/pairs"] > 50);
        // The reference is the policy as it was.
        Assert.InRange(reports.First(report => report.Stage == Rlaif.Reinforcement).Step.Metrics["kl"], -1e-6, 1e-6);
        double after = await Share(model);
        // 256 completions each: the standard error of a share is at most 0.03.
        Assert.True(after > before + 0.2, $"the share of completions with an a went from {before} to {after}");
    }

    [Fact]
    public async Task Run_WithoutAnyVerdict_SaysSo()
    {
        using var model = Toy.Model();
        using var rewardModel = SequenceClassifier.For(model.Copy());
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            await foreach (
                var _ in new Rlaif(
                    model,
                    Toy.Tokenizer,
                    (_, _, _, _) => Task.FromResult(double.NaN),
                    new RlaifOptions { Feedback = Short, RewardModel = rewardModel }
                ).RunAsync(Problems)
            ) { }
        });
        Assert.Contains("no verdict on any of 16 pairs", error.Message, StringComparison.Ordinal);
    }

    private static int As(string text) => text.Count(letter => letter == 'a');

    private static async Task<double> Share(CausalLm model)
    {
        var pairs = await Collect(model, Short with { PairsPerProblem = 32, Seed = 99 }, (_, _, _, _) => Task.FromResult(0.5));
        // Equal texts are left out of the pairs.
        return pairs
            .SelectMany(batch => batch.Pairs)
            .SelectMany(pair => new[] { pair.Chosen, pair.Rejected })
            .Average(text => text.Text.Contains('a', StringComparison.Ordinal) ? 1.0 : 0);
    }

    private static async Task<List<AiFeedbackBatch>> Collect(
        CausalLm model,
        AiFeedbackOptions options,
        PairJudge judge,
        CancellationToken cancellation = default
    )
    {
        var batches = new List<AiFeedbackBatch>();
        await foreach (var batch in AiFeedback.CollectAsync(model, Toy.Tokenizer, Problems, judge, options, cancellation))
            batches.Add(batch);
        return batches;
    }
}
