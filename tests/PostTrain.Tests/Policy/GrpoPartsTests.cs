using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

[Collection("Sequential")]
public sealed class GrpoPartsTests : IDisposable
{
    private static readonly SamplingOptions OneToken = new() { MaxNewTokens = 1 };
    private readonly TemporaryDirectory directory = new();

    internal static string[] Names { get; } = ["dapo", "rloo", "remax", "reinforce++", "gdpo"];

    public static TheoryData<string> Runs => [.. Names];

    public void Dispose() => directory.Dispose();

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task Run_LeaksNothing(string name)
    {
        using var reference = Toy.Model(seed: 2);
        using var model = Toy.Model();
        long Alive() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        long before = 0;
        // A warm-up run, so that what the library keeps for good is there.
        for (int round = 0; round < 2; round++)
        {
            before = Alive();
            await GrpoRuns.Train(model, GrpoRuns.EvenAndLength, Options(name) with { Steps = 5 }, reference);
            foreach (var parameter in model.parameters())
                parameter.grad = null;
        }
        Assert.Equal(before, Alive());
    }

    /// <summary>Five right tokens of 20: groups of four differ with probability 1 − p⁴ − (1 − p)⁴ = 0.6797, within four deviations of the
    /// measured share.</summary>
    [Fact]
    public async Task DynamicSampling_HasItsEfficiency_AndFillsTheBatch()
    {
        using var model = new BigramLm();
        var reward = Reward.Of("low", completion => completion.Tokens[0] < 5 ? 1 : 0);
        var options = GrpoRuns.Small with
        {
            Objective = PolicyObjectives.Dapo(),
            Steps = 8,
            BatchSize = 64,
            LearningRate = 1e-12,
            Sampling = OneToken,
            DynamicSampling = new DynamicSampling(),
        };
        var reports = await GrpoRuns.Train(model, reward, options);
        double groups = reports.Sum(report => 64 * report.Metrics["sampling/draws"]);
        double teaching = reports.Sum(report => 64 * report.Metrics["sampling/draws"] * report.Metrics["sampling/efficiency"]);
        double efficiency = 1 - Math.Pow(0.25, 4) - Math.Pow(0.75, 4);
        Assert.InRange(
            teaching / groups,
            efficiency - (4 * Math.Sqrt(efficiency * (1 - efficiency) / groups)),
            efficiency + (4 * Math.Sqrt(efficiency * (1 - efficiency) / groups))
        );
        Assert.All(reports, report => Assert.Equal(2, report.Metrics["sampling/draws"]));
        Assert.All(reports, report => Assert.Equal(1 - report.Metrics["sampling/efficiency"], report.Metrics["reward/zero_groups"], 1e-12));
    }

    [Fact]
    public async Task DynamicSampling_IsBounded_AndLeavesACallersBatchWhole()
    {
        using var model = Toy.Model();
        int judged = 0;
        var equal = new GrpoRuns.OfAll(completions =>
        {
            judged += completions.Count;
            return new double[completions.Count];
        });
        var options = GrpoRuns.Small with
        {
            Steps = 1,
            DynamicSampling = new DynamicSampling { MaxDraws = 3 },
        };
        var report = Assert.Single(await GrpoRuns.Train(model, equal, options));
        Assert.Equal(
            (3.0, 0.0, 0.0),
            (report.Metrics["sampling/draws"], report.Metrics["sampling/efficiency"], report.Metrics["grad_norm"])
        );
        Assert.Equal(3 * 2 * 4, judged);
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, equal, options);
        var single = await trainer.StepAsync([new Problem("0=")]);
        Assert.Equal(1, single.Metrics["sampling/draws"]);
        Assert.Equal((3 * 2 * 4) + 4, judged);
    }

    // Only the first step's rewards differ; what it drew comes back as often as is allowed, and no later than it may.
    [Theory]
    [InlineData(1, 8, new[] { 0.0, 2, 0, 0, 0 })]
    [InlineData(2, 8, new[] { 0.0, 2, 2, 0, 0 })]
    [InlineData(9, 3, new[] { 0.0, 2, 2, 2, 0 })]
    public async Task Replay_TakesThePlaceOfGroupsWithoutSignal(int uses, int age, double[] expected)
    {
        using var model = Toy.Model();
        int calls = 0;
        var reward = new GrpoRuns.OfAll(completions =>
            [.. completions.Select((_, i) => calls == 0 ? i % 2 : 1.0).ToArray().Append(calls++).SkipLast(1)]
        );
        var reports = await GrpoRuns.Train(
            model,
            reward,
            GrpoRuns.Small with
            {
                Steps = 5,
                Replay = new ReplayOptions { MaxUses = uses, MaxAge = age },
            }
        );
        Assert.Equal(expected, reports.Select(report => report.Metrics["replay/groups"]));
        Assert.All(reports.Skip(1), report => Assert.Equal(report.Metrics["replay/groups"] > 0, report.Metrics["grad_norm"] > 0));
        // Those log-probs are of another policy.
        Assert.Equal(0, reports[0].Metrics["policy/old_kl"], 1e-7);
        Assert.True(reports[1].Metrics["policy/old_kl"] > 1e-6);
    }

    [Fact]
    public async Task Replay_IsBounded()
    {
        using var model = Toy.Model();
        var reward = new GrpoRuns.OfAll(completions => [.. completions.Select((_, i) => (double)i)]);
        var reports = await GrpoRuns.Train(
            model,
            reward,
            GrpoRuns.Small with
            {
                Steps = 4,
                Replay = new ReplayOptions { Capacity = 3 },
            }
        );
        Assert.Equal([2.0, 3, 3, 3], reports.Select(report => report.Metrics["replay/size"]));
    }

    [Fact]
    public async Task Controls_FollowTheirFormulas()
    {
        using var model = Toy.Model();
        using var reference = Toy.Model(seed: 2);
        var options = GrpoRuns.Small with
        {
            Steps = 4,
            Kl = KlPenalty.Loss(KlControl.Adaptive(0.1, target: 0.05, horizon: 40)),
            Entropy = EntropyControl.Adaptive(target: 100, change: 0.01, coefficient: 0.02),
        };
        var reports = await GrpoRuns.Train(model, GrpoRuns.Even, options, reference);
        Assert.Equal(0.1, reports[0].Metrics["kl/coefficient"]);
        for (int i = 1; i < 4; i++)
        {
            double factor = 1 + (Math.Clamp((reports[i - 1].Metrics["kl/completion"] / 0.05) - 1, -0.2, 0.2) * 8 / 40);
            Assert.Equal(reports[i - 1].Metrics["kl/coefficient"] * factor, reports[i].Metrics["kl/coefficient"], 1e-12);
            // The entropy stays below 100 nats.
            Assert.Equal(0.02 + (0.01 * i), reports[i].Metrics["entropy/coefficient"], 1e-12);
        }
        // Above the target the bonus is not used.
        var free = await GrpoRuns.Train(
            model,
            GrpoRuns.Even,
            options with
            {
                Entropy = EntropyControl.Adaptive(target: 0, change: 0.01, coefficient: 0.02),
            },
            reference
        );
        Assert.All(free, report => Assert.Equal(0, report.Metrics["entropy/coefficient"]));
    }

    [Fact]
    public async Task EntropyBonus_KeepsTheEntropyUp()
    {
        async Task<double> Entropy(double coefficient)
        {
            using var model = Toy.Model();
            var reports = await GrpoRuns.Train(
                model,
                GrpoRuns.Even,
                GrpoRuns.Small with
                {
                    Steps = 15,
                    GroupSize = 8,
                    Entropy = EntropyControl.Fixed(coefficient),
                }
            );
            return reports[^1].Metrics["entropy"];
        }

        Assert.True(await Entropy(0.5) > await Entropy(0) + 0.02);
    }

    [Fact]
    public async Task TargetKl_EndsTheUpdatesOfABatch()
    {
        async Task<double> Updates(double target)
        {
            using var model = Toy.Model();
            var report = Assert.Single(
                await GrpoRuns.Train(
                    model,
                    GrpoRuns.Even,
                    GrpoRuns.Small with
                    {
                        Steps = 1,
                        UpdatesPerBatch = 6,
                        TargetKl = target,
                        MicroBatchSize = 3,
                    }
                )
            );
            return report.Metrics["policy/updates"];
        }

        // The first update is on the policy that drew, with the log-probs that it recorded: its divergence is exactly 0. The second one is
        // the first to see another.
        Assert.Equal(2, await Updates(1e-30));
        Assert.Equal(6, await Updates(1e6));
    }

    [Fact]
    public async Task DropUnfinished_LeavesThemOut_AndTheOverlongPenaltyIsDapos()
    {
        using var model = new BigramLm();
        var before = Toy.Bytes(model);
        var unending = new SamplingOptions { MaxNewTokens = 4, SuppressedTokens = [Toy.Tokenizer.EndOfSequenceId!.Value] };
        var options = GrpoRuns.Small with
        {
            Steps = 1,
            Sampling = unending,
            Tokens = new TokenSelection { DropUnfinished = true },
            Overlong = new OverlongPenalty
            {
                Buffer = 2,
                Limit = 5,
                Weight = 3,
            },
        };
        var report = Assert.Single(await GrpoRuns.Train(model, GrpoRuns.Even, options));
        Assert.Equal(
            (0.0, 0.0, 0.0),
            (report.Metrics["completion/finished"], report.Metrics["policy/learnt_tokens"], report.Metrics["grad_norm"])
        );
        Assert.Equal(before, Toy.Bytes(model));
        // Length 4 of 5 with a buffer of 2: half way, −½·3.
        Assert.Equal(-1.5, report.Metrics["reward/overlong"], 1e-12);
    }

    // The greedy completion's reward is 1 and every sample of another first token has 0: A is −1 or 0.
    [Fact]
    public async Task ReMax_ComparesWithTheGreedyCompletion()
    {
        double[] logits = new double[20];
        logits[7] = 1;
        using var model = new BigramLm(logits);
        int[] tokens = [];
        var reward = new GrpoRuns.OfAll(completions =>
        {
            if (completions.Count > 1)
                tokens = [.. completions.Select(completion => completion.Tokens[0])];
            return [.. completions.Select(completion => completion.Tokens[0] == 7 ? 1.0 : 0)];
        });
        var options = GrpoRuns.Small with
        {
            Objective = PolicyObjectives.ReMax(),
            Steps = 1,
            BatchSize = 1,
            MaxGradNorm = double.PositiveInfinity,
            Sampling = OneToken,
        };
        var report = Assert.Single(await GrpoRuns.Train(model, reward, options, problems: [new Problem("0=")]));
        Assert.Equal(1, report.Metrics["reward/greedy"]);
        double total = Math.E + 19;
        double[] expected =
        [
            .. Enumerable
                .Range(0, 20)
                .Select(v => tokens.Where(token => token != 7).Sum(token => ((v == token ? 1 : 0) - ((v == 7 ? Math.E : 1) / total)) / 4)),
        ];
        Assert.All(expected.Zip(model.Gradient), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }

    [Fact]
    public void Contradictions_AreNamed()
    {
        using var model = Toy.Model();
        void Refused(string says, GrpoOptions options, CausalLm? reference = null)
        {
            var error = Assert.ThrowsAny<ArgumentException>(() =>
                new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, options with { Reference = reference })
            );
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
        }

        var small = GrpoRuns.Small;
        Refused("the objective PPO has no Advantage", small with { Objective = PolicyObjectives.Ppo() });
        Refused("Kl is given, but Reference is null", small with { Kl = KlPenalty.Reward(KlControl.Fixed(0.1)) });
        Refused(
            "expected one of the two",
            small with
            {
                Kl = KlPenalty.Loss(KlControl.Fixed(0.1)),
                Objective = PolicyObjectives.Grpo() with { Beta = 0.1 },
            },
            model
        );
        Refused(
            "expected one of the two",
            small with
            {
                Entropy = EntropyControl.Fixed(0.1),
                Objective = PolicyObjectives.Grpo() with { EntropyCoefficient = 0.1 },
            }
        );
        Refused(
            "expected a penalty in the loss",
            small with
            {
                Kl = KlPenalty.Reward(KlControl.Fixed(0.1)),
                Objective = GrpoRuns.Presets["GDPO"],
            },
            model
        );
        Refused(
            "needs one advantage a completion",
            small with
            {
                Tokens = new TokenSelection { OffPolicyThreshold = 1 },
                Objective = PolicyObjectives.ReinforcePlusPlus(),
            }
        );
        Refused("GroupSize is 1", small with { GroupSize = 1, Objective = PolicyObjectives.Reinforce(), Replay = new ReplayOptions() });
        Refused("Overlong.Buffer", small with { Overlong = new OverlongPenalty { Buffer = 0 } });
        Refused("Tokens.TopEntropy", small with { Tokens = new TokenSelection { TopEntropy = 1.5 } });
        Refused("DynamicSampling.MaxDraws", small with { DynamicSampling = new DynamicSampling { MaxDraws = 0 } });
        Refused("Replay.Capacity", small with { Replay = new ReplayOptions { Capacity = 0 } });
        Refused("TargetKl", small with { TargetKl = 0 });
        // One completion has nothing to be standardised over; two have, in one group or two.
        var single = small with
        {
            BatchSize = 1,
            GroupSize = 1,
            Objective = PolicyObjectives.ReinforcePlusPlus(),
        };
        Refused("'REINFORCE++' standardises over the batch, and BatchSize 1 times GroupSize 1 is a single completion", single);
        foreach (var two in new[] { single with { BatchSize = 2 }, single with { GroupSize = 2 } })
            using (new GrpoTrainer(model, Toy.Tokenizer, GrpoRuns.Even, two)) { }
        // Methods without a comparison take a group of one.
        using var alone = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            GrpoRuns.Even,
            small with
            {
                GroupSize = 1,
                Objective = PolicyObjectives.Reinforce(),
            }
        );
    }

    [Fact]
    public async Task UnknownComponent_IsNamed()
    {
        using var model = Toy.Model();
        var options = GrpoRuns.Small with
        {
            Objective = PolicyObjectives.Grpo() with { Advantage = AdvantageMethod.PerComponent(("style", 1)) },
        };
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => GrpoRuns.Train(model, GrpoRuns.EvenAndLength, options));
        Assert.Contains("no component 'style', expected one of even, length", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resume_BrokenReplay_IsRefused_AndNothingChanges()
    {
        using var model = Toy.Model();
        var options = Options("remax") with { Steps = 3, CheckpointDirectory = directory.Path };
        await GrpoRuns.Train(model, GrpoRuns.EvenAndLength, options);
        string checkpoint = Checkpoint.Latest(directory.Path)!;
        var path = Path.Combine(checkpoint, "trainer.safetensors");
        using (var scope = NewDisposeScope())
        {
            List<(string, Tensor)> kept = [];
            using (var file = SafetensorsFile.Open(path))
                foreach (var entry in file.Entries)
                    kept.Add(
                        (
                            entry.Name,
                            entry.Name.EndsWith(".ids", StringComparison.Ordinal)
                                ? full_like(file.Read(entry.Name), 500)
                                : file.Read(entry.Name)
                        )
                    );
            SafetensorsFile.Write(path, kept);
        }
        using var other = Toy.Model(seed: 9);
        var before = Toy.Bytes(other);
        using var trainer = new GrpoTrainer(other, Toy.Tokenizer, GrpoRuns.EvenAndLength, options);
        Assert.Contains(
            "replay.00000.ids holds an id outside 0 to 19",
            Assert.Throws<InvalidDataException>(() => trainer.Resume(checkpoint)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(before, Toy.Bytes(other));
        Assert.Equal(0, trainer.StepsDone);
    }

    // Each run with other parts on, so that all of them are on in one.
    internal static GrpoOptions Options(string name) =>
        (GrpoRuns.Small with { UpdatesPerBatch = 2 }) switch
        {
            var small when name == "dapo" => small with
            {
                Objective = PolicyObjectives.Dapo(),
                DynamicSampling = new DynamicSampling { MaxDraws = 3 },
                Tokens = new TokenSelection
                {
                    DropUnfinished = true,
                    TopEntropy = 0.7,
                    OffPolicyThreshold = 0.01,
                },
                Overlong = new OverlongPenalty { Buffer = 2 },
                Entropy = EntropyControl.Adaptive(target: 2.9, change: 0.01),
            },
            var small when name == "rloo" => small with
            {
                Objective = PolicyObjectives.Rloo(),
                Kl = KlPenalty.Reward(KlControl.Adaptive(0.1, target: 0.05, horizon: 50)),
                Correction = ImportanceCorrection.Tis(),
                Replay = new ReplayOptions { MaxUses = 2 },
            },
            var small when name == "remax" => small with
            {
                Objective = PolicyObjectives.ReMax(),
                Replay = new ReplayOptions { Capacity = 5 },
            },
            var small when name == "reinforce++" => small with
            {
                Objective = PolicyObjectives.ReinforcePlusPlus(),
                Kl = KlPenalty.Reward(KlControl.Fixed(0.1)),
                DynamicSampling = new DynamicSampling { MaxDraws = 2 },
                Replay = new ReplayOptions(),
                UpdatesPerBatch = 1,
            },
            var small => small with
            {
                Objective = GrpoRuns.Presets["GDPO"],
                Kl = KlPenalty.Loss(KlControl.Adaptive(0.1, target: 0.05, horizon: 50)),
                Entropy = EntropyControl.Fixed(0.01),
                TargetKl = 1e-4,
                UpdatesPerBatch = 3,
                Replay = new ReplayOptions { MaxAge = 2 },
            },
        };
}
