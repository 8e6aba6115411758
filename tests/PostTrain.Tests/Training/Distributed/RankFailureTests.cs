using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Distributed;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>A rank that differs, fails, hangs or ends: every rank gets one error that names it, and none waits for ever.</summary>
[Collection("Sequential")]
public sealed class RankFailureTests
{
    private static readonly Demonstration[] Shown = [.. Enumerable.Range(0, 6).Select(i => new Demonstration($"{i}=", "ab"))];
    private static readonly Problem[] Problems = [.. Enumerable.Range(0, 4).Select(i => new Problem($"{i}="))];

    private static SftOptions Options =>
        new()
        {
            Steps = 2,
            BatchSize = 3,
            LearningRate = 1e-2,
        };

    public static TheoryData<string, string> Differences =>
        new()
        {
            { "rate", "rank 1: the option LearningRate is 0.02, expected 0.01 as on rank 0" },
            { "sharding", "rank 1: it is at the optimiser's layout while rank 0 is at the begin of a run" },
            { "data", "rank 1: the number of records of data is 5 with the digest" },
            { "text", "rank 1: the number of records of data is 6 with the digest" },
            { "model", "rank 1: the parameter " },
        };

    [Theory]
    [MemberData(nameof(Differences))]
    public async Task ARankThatDiffers_IsNamed_OnAll(string what, string message)
    {
        var errors = await ErrorsAsync(
            2,
            rank =>
            {
                bool differs = rank == 1;
                using var model = Toy.Model(seed: what == "model" && differs ? 2ul : 1ul);
                var options = Options with { LearningRate = what == "rate" && differs ? 0.02 : 0.01 };
                if (what == "sharding" && differs)
                    options = options with { Distributed = new DistributedOptions { Sharding = StateSharding.Optimizer } };
                Demonstration[] data =
                    !differs ? Shown
                    : what == "data" ? Shown[..5]
                    : what == "text" ? [.. Shown[..5], new Demonstration("5=", "ac")]
                    : Shown;
                Train(model, options, data);
            }
        );
        Assert.StartsWith(message, Assert.IsType<RankFailedException>(errors[0]).Message, StringComparison.Ordinal);
        if (what != "sharding")
            Assert.All(errors, error => Assert.Equal(errors[0]!.Message, error!.Message));
    }

    [Fact]
    public async Task ARewardThatThrows_NamesItsRank_OnAll()
    {
        var errors = await ErrorsAsync(
            3,
            rank =>
            {
                using var model = Toy.Model();
                var reward = Reward.Of("fails", _ => rank == 2 ? throw new FormatException("no number in it") : 1.0);
                using var trainer = new GrpoTrainer(
                    model,
                    Toy.Tokenizer,
                    reward,
                    new GrpoOptions
                    {
                        Steps = 1,
                        BatchSize = 3,
                        GroupSize = 2,
                        Sampling = new SamplingOptions { MaxNewTokens = 3 },
                        Distributed = new DistributedOptions { SplitRewards = true },
                    }
                );
                _ = trainer.RunAsync(Problems).ToBlockingEnumerable().Last();
            }
        );
        Assert.All(
            errors,
            error =>
            {
                var named = Assert.IsType<RankFailedException>(error);
                Assert.Equal(2, named.Rank);
                Assert.Equal("rank 2: FormatException: no number in it", named.Message);
            }
        );
        Assert.IsType<FormatException>(errors[2]!.InnerException);
    }

    [Fact]
    public async Task ARankThatEnds_IsNamed()
    {
        var errors = await ErrorsAsync(
            2,
            rank =>
            {
                using var model = Toy.Model();
                Train(model, Options with { Steps = rank == 1 ? 1 : 3 }, Shown);
            },
            allowsOther: true
        );
        Assert.StartsWith("rank 1: the option Steps is 1", Assert.IsType<RankFailedException>(errors[0]).Message, StringComparison.Ordinal);

        errors = await ErrorsAsync(
            2,
            rank =>
            {
                using var model = Toy.Model();
                using var trainer = new SftTrainer(model, Toy.Tokenizer, Options with { Steps = 9 });
                foreach (var report in trainer.Run(Shown))
                    if (rank == 1 && report.Step == 2)
                        break;
            },
            allowsOther: true
        );
        Assert.Equal("rank 1: its program has ended while others still train", Assert.IsType<RankFailedException>(errors[0]).Message);
        Assert.Null(errors[1]);
    }

    [Fact]
    public async Task ARankThatHangs_IsNamed_InTime()
    {
        var watch = Stopwatch.StartNew();
        var ended = new TaskCompletionSource();
        var errors = await ErrorsAsync(
            2,
            rank =>
            {
                using var model = Toy.Model();
                var options = Options with
                {
                    Distributed = new DistributedOptions { Timeout = TimeSpan.FromSeconds(0.5) },
                    Steps = 9,
                };
                using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
                try
                {
                    foreach (var report in trainer.Run(Shown))
                        if (rank == 1 && report.Step == 2)
                            ended.Task.Wait(TimeSpan.FromSeconds(30));
                }
                finally
                {
                    ended.TrySetResult();
                }
            },
            allowsOther: true
        );
        Assert.StartsWith(
            "rank 1: it has not answered for 0.5 seconds, which others waited",
            Assert.IsType<RankFailedException>(errors[0]).Message,
            StringComparison.Ordinal
        );
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task ACancelledRank_EndsTheRunOfAll()
    {
        using var cancelled = new CancellationTokenSource();
        var errors = await ErrorsAsync(
            2,
            rank =>
            {
                using var model = Toy.Model();
                using var trainer = new SftTrainer(model, Toy.Tokenizer, Options with { Steps = 50 });
                foreach (var report in trainer.Run(Shown, cancellation: rank == 1 ? cancelled.Token : default))
                    if (report.Step == 2)
                        cancelled.Cancel();
            }
        );
        Assert.All(errors, error => Assert.IsAssignableFrom<OperationCanceledException>(error));
    }

    [Fact]
    public async Task WhatRanksCannotShare_IsRefused_ByName()
    {
        async Task Refused<T>(string part, Func<IDisposable> make)
            where T : ArgumentException
        {
            foreach (var error in await ErrorsAsync(2, _ => make().Dispose()))
                Assert.Contains(part, Assert.IsAssignableFrom<T>(error).Message, StringComparison.Ordinal);
        }

        using var model = Toy.Model();
        await Refused<ArgumentOutOfRangeException>(
            "BatchSize gives 1 rows, expected at least 2, one for each rank",
            () => new SftTrainer(model, Toy.Tokenizer, Options with { BatchSize = 1 })
        );
        await Refused<ArgumentException>(
            "Asynchronous is given in a run of 2 ranks",
            () =>
                new GrpoTrainer(
                    model,
                    Toy.Tokenizer,
                    Reward.Of("one", _ => 1),
                    new GrpoOptions { Asynchronous = new AsynchronousOptions() }
                )
        );
        await Refused<ArgumentException>(
            "needs the covariances of a whole batch, which Distributed splits",
            () =>
                new GrpoTrainer(
                    model,
                    Toy.Tokenizer,
                    Reward.Of("one", _ => 1),
                    new GrpoOptions { Objective = PolicyObjectives.Grpo() with { Surrogate = PolicySurrogate.ClipCov(0.2) } }
                )
        );
        await Refused<ArgumentException>(
            "(AOT), which Distributed = 2 cuts into parts",
            () => new DpoTrainer(model, Toy.Tokenizer, model, new DpoOptions { Loss = DpoLoss.Aot() })
        );
        await Refused<ArgumentException>(
            "expected Sharding None or Optimizer: the fixed order holds all sums",
            () =>
                new SftTrainer(
                    model,
                    Toy.Tokenizer,
                    Options with
                    {
                        Distributed = new DistributedOptions { FixedOrder = true, Sharding = StateSharding.Gradients },
                    }
                )
        );
    }

    private static void Train(PostTrain.Models.CausalLm model, SftOptions options, Demonstration[] data)
    {
        using var trainer = new SftTrainer(model, Toy.Tokenizer, options);
        Assert.Equal(options.Steps, trainer.Run(data).Last().Step);
    }

    // What each rank has thrown; null where it ended well.
    private static async Task<Exception?[]> ErrorsAsync(int ranks, Action<int> program, bool allowsOther = false)
    {
        var errors = new Exception?[ranks];
        await InProcessCollectives.RunAsync(
            ranks,
            own =>
            {
                errors[own.Rank] = Record.Exception(() => program(own.Rank));
                return Task.CompletedTask;
            }
        );
        if (!allowsOther)
            Assert.All(errors, Assert.NotNull);
        return errors;
    }
}
