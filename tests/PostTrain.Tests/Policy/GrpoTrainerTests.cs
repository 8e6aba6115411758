using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class GrpoTrainerTests
{
    private static readonly Problem[] Problems = [new("0="), new("1+1="), new("2=")];
    private static readonly IReward StartsWithA = Reward.Of("starts_with_a", completion => completion.Text.StartsWith('a') ? 1 : 0);
    private static readonly IReward Length = Reward.Of("length", completion => completion.Text.Length);
    private static readonly GrpoOptions Small = new()
    {
        Steps = 3,
        BatchSize = 2,
        GroupSize = 4,
        LearningRate = 1e-2,
        Sampling = new SamplingOptions { MaxNewTokens = 4 },
    };

    [Fact]
    public async Task Run_FirstTokenRewarded_BecomesLikely()
    {
        using var model = Toy.Model();
        int[] prompt = Toy.Tokenizer.Encode("0=");
        int a = Assert.Single(Toy.Tokenizer.Encode("a"));
        Assert.InRange(Math.Exp(Toy.LogProbs(model, prompt)[^1][a]), 0.02, 0.1);
        var options = Small with
        {
            Steps = 40,
            BatchSize = 4,
            GroupSize = 8,
            Sampling = new SamplingOptions { MaxNewTokens = 2 },
        };
        var reports = await Train(model, StartsWithA, options, problems: [new Problem("0=")]);
        Assert.InRange(Math.Exp(Toy.LogProbs(model, prompt)[^1][a]), 0.9, 1);
        Assert.InRange(reports[0].Metrics["reward/mean"], 0, 0.3);
        Assert.InRange(reports[^1].Metrics["reward/mean"], 0.9, 1);
    }

    [Fact]
    public async Task Run_EqualRewards_ChangeNothing()
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        var reports = await Train(model, Reward.Of("constant", _ => 0.5), Small);
        Assert.Equal(3, reports.Length);
        Assert.All(
            reports,
            report =>
            {
                Assert.Equal(1, report.Metrics["reward/zero_groups"]);
                Assert.Equal(0.5, report.Metrics["reward/mean"]);
                Assert.Equal(0, report.Metrics["grad_norm"]);
            }
        );
        Assert.Equal(before, Toy.Bytes(model));
    }

    // Groups (0, 1, 0, 1) and (2, 2, 2, 2): mean 10/8, variance (2·1.25² + 2·0.25² + 4·0.75²)/8 = 0.6875. Logits 0: every token has 1/20.
    [Fact]
    public async Task Run_Metrics_AreTheDocumentedOnes_WithHandWorkedValues()
    {
        string[] names =
        [
            "completion/finished",
            "completion/length",
            "entropy",
            "grad_norm",
            "learning_rate",
            "policy/clip_fraction",
            "policy/old_kl",
            "reward/mean",
            "reward/part",
            "reward/std",
            "reward/zero_groups",
            "time/reward",
            "time/rollout",
            "time/update",
            "tokens_per_second",
        ];
        using var model = new DropoutLm(Toy.Tokenizer.VocabularySize, scale: 0);
        var completions = new List<Completion>();
        var reward = new FunctionOfAll(all =>
        {
            completions.AddRange(all);
            return new RewardScores([0, 1, 0, 1, 2, 2, 2, 2], new Dictionary<string, double[]> { ["part"] = [4, 0, 0, 0, 0, 0, 0, 0] });
        });
        var metrics = Assert.Single(await Train(model, reward, Small with { Steps = 1 })).Metrics;
        Assert.Equal(names, metrics.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(1.25, metrics["reward/mean"], 1e-12);
        Assert.Equal(Math.Sqrt(0.6875), metrics["reward/std"], 1e-12);
        Assert.Equal(0.5, metrics["reward/zero_groups"]);
        Assert.Equal(0.5, metrics["reward/part"], 1e-12);
        Assert.Equal(Math.Log(20), metrics["entropy"], 1e-5);
        Assert.Equal(0, metrics["policy/clip_fraction"]);
        Assert.Equal(0, metrics["policy/old_kl"], 1e-6);
        Assert.Equal(Small.LearningRate, metrics["learning_rate"]);
        Assert.Equal(completions.Average(completion => completion.Tokens.Length), metrics["completion/length"], 1e-12);
        Assert.Equal(completions.Count(completion => completion.Finished) / 8.0, metrics["completion/finished"], 1e-12);

        using var reference = Toy.Model();
        using var policy = Toy.Model();
        var with = Assert.Single(await Train(policy, reward, Small with { Steps = 1 }, reference));
        Assert.Equal(
            names.Append("kl").Append("time/reference").Order(StringComparer.Ordinal),
            with.Metrics.Keys.Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Run_Reference_KlStartsAtZero_AndBetaKeepsItSmall()
    {
        async Task<double[]> Kl(double beta)
        {
            using var model = Toy.Model();
            using var reference = Toy.Model();
            var before = Toy.Bytes(reference);
            var reports = await Train(
                model,
                StartsWithA,
                Small with
                {
                    Steps = 25,
                    GroupSize = 16,
                    Objective = PolicyObjectives.Grpo() with { Beta = beta },
                },
                reference
            );
            Assert.Equal(before, Toy.Bytes(reference));
            return [.. reports.Select(report => report.Metrics["kl"])];
        }

        var (free, bound) = (await Kl(0), await Kl(1));
        Assert.InRange(free[0], -1e-6, 1e-6);
        Assert.InRange(bound[0], -1e-6, 1e-6);
        Assert.True(free[^1] > 0.2, $"without Beta the divergence only reached {free[^1]}");
        Assert.True(bound[^1] < 0.5 * free[^1], $"with Beta the divergence is {bound[^1]}, without {free[^1]}");
    }

    [Fact]
    public async Task Run_SeveralUpdates_ClipFromTheSecondOn()
    {
        using var model = Toy.Model();
        var report = Assert.Single(await Train(model, Length, Small with { Steps = 1, UpdatesPerBatch = 4, LearningRate = 0.1 }));
        Assert.InRange(report.Metrics["policy/clip_fraction"], 0.01, 0.75);
        Assert.True(report.Metrics["policy/old_kl"] > 1e-3);
    }

    [Fact]
    public async Task Run_SameSeed_SameNumbers_AndAnotherSeedOthers()
    {
        async Task<Dictionary<string, double>[]> Numbers(ulong seed)
        {
            using var model = Toy.Model();
            return [.. (await Train(model, Length, Small with { Seed = seed })).Select(Toy.Numbers)];
        }

        var first = await Numbers(5);
        Assert.Equal(first, await Numbers(5));
        Assert.NotEqual(first, await Numbers(6));
    }

    [Fact]
    public async Task Run_UnusableReward_IsNamed_AndTheRunCanGoOn()
    {
        using var model = Toy.Model();
        var before = Toy.Bytes(model);
        async Task<string> Message(IReward reward)
        {
            var error = await Assert.ThrowsAsync<InvalidOperationException>(() => Train(model, reward, Small));
            Assert.Equal(before, Toy.Bytes(model));
            return error.Message;
        }

        Assert.Contains(
            "reward 'all' returned 7 values, expected 8",
            await Message(new FunctionOfAll(_ => new RewardScores(new double[7], new Dictionary<string, double[]>()))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "reward 'nan' returned NaN for completion 0",
            await Message(Reward.Of("nan", _ => double.NaN)),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "reward 'infinite' returned",
            await Message(Reward.Of("infinite", _ => double.PositiveInfinity)),
            StringComparison.Ordinal
        );
        Assert.Equal("the judge is out", await Message(Reward.Of("throws", _ => throw new InvalidOperationException("the judge is out"))));

        // A step that failed has not been counted and has read no data.
        bool fails = true;
        var flaky = Reward.Of("length", completion => fails ? double.NaN : completion.Text.Length);
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, flaky, Small);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Collect(trainer.RunAsync(Problems)));
        fails = false;
        var again = await Collect(trainer.RunAsync(Problems));
        using var fresh = Toy.Model();
        Assert.Equal((await Train(fresh, Length, Small)).Select(Toy.Numbers), again.Select(Toy.Numbers));
    }

    [Fact]
    public async Task Run_UnusableProblems_AreNamed()
    {
        using var model = Toy.Model();
        Task<StepReport[]> Run(params Problem[] problems) => Train(model, Length, Small, problems: problems);
        Assert.Equal("problems", (await Assert.ThrowsAsync<ArgumentException>(() => Run())).ParamName);
        // The context is 16 and at least one token is to be drawn.
        var error = await Assert.ThrowsAsync<ArgumentException>(() =>
            Run(Problems[0], new Problem(new string('1', 15)), new Problem(new string('2', 16)))
        );
        Assert.Equal("problems", error.ParamName);
        Assert.Contains("problems[2] has a prompt of 16 tokens, expected 1 to 15", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            "problems[1] has a prompt of 0 tokens",
            (await Assert.ThrowsAsync<ArgumentException>(() => Run(Problems[0], new Problem("")))).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(3, (await Run(new Problem(new string('1', 15)))).Length);
    }

    [Fact]
    public void Constructor_BadOptions_AreNamedWithTheirRange()
    {
        using var model = Toy.Model();
        void Refused(string name, string range, GrpoOptions options)
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() =>
                new GrpoTrainer(model, Toy.Tokenizer, Length, options with { Reference = model })
            );
            Assert.Equal(name, error.ParamName);
            Assert.Contains(range, error.Message, StringComparison.Ordinal);
        }

        Refused("Steps", "at least 1", Small with { Steps = 0 });
        Refused("GroupSize", "at least 2", Small with { GroupSize = 1 });
        Refused("UpdatesPerBatch", "at least 1", Small with { UpdatesPerBatch = 0 });
        Refused("Beta", "at least 0", Small with { Objective = PolicyObjectives.Grpo() with { Beta = -0.1 } });
        Refused("Sampling", "Temperature must be above 0", Small with { Sampling = new SamplingOptions { Temperature = 0 } });
        Refused("TopP", "(0, 1]", Small with { Sampling = new SamplingOptions { TopP = 2 } });
        Refused("StopTokens", "0 to 19", Small with { Sampling = new SamplingOptions { StopTokens = [20] } });
        var error = Assert.Throws<ArgumentException>(() =>
            new GrpoTrainer(model, Toy.Tokenizer, Length, Small with { Objective = PolicyObjectives.Grpo() with { Beta = 0.1 } })
        );
        Assert.Equal("Reference", error.ParamName);
        Assert.Contains("Beta is 0.1, but Reference is null", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Steps_LeaveNoTensorBehind()
    {
        using var model = Toy.Model();
        using var reference = Toy.Model(seed: 2);
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            Length,
            Small with
            {
                Steps = 6,
                MicroBatchSize = 3,
                UpdatesPerBatch = 2,
                Reference = reference,
            }
        );
        var alive = new List<long>();
        await foreach (var _ in trainer.RunAsync(Problems))
            alive.Add(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        Assert.Equal(6, alive.Count);
        Assert.All(alive[1..], count => Assert.Equal(alive[1], count));
    }

    private static async Task<StepReport[]> Train(
        CausalLm model,
        IReward reward,
        GrpoOptions options,
        CausalLm? reference = null,
        Problem[]? problems = null
    )
    {
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, reward, options with { Reference = reference });
        return await Collect(trainer.RunAsync(problems ?? Problems));
    }

    private static async Task<StepReport[]> Collect(IAsyncEnumerable<StepReport> run)
    {
        var reports = new List<StepReport>();
        await foreach (var report in run)
            reports.Add(report);
        return [.. reports];
    }

    private sealed class FunctionOfAll(Func<IReadOnlyList<Completion>, RewardScores> score) : IReward
    {
        public string Name => "all";

        public ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        ) => ValueTask.FromResult(score(completions));
    }
}
