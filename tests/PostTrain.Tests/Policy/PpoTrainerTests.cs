using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Critics;
using PostTrain.Policy.Estimators;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

[Collection("Sequential")]
public sealed class PpoTrainerTests
{
    private static readonly Problem[] Problems = [new("0="), new("1+1="), new("2=")];
    private static readonly IReward StartsWithA = Reward.Of("starts_with_a", completion => completion.Text.StartsWith('a') ? 1 : 0);
    private static readonly IReward Length = Reward.Of("length", completion => completion.Text.Length);
    private static readonly PpoOptions Small = new()
    {
        Steps = 3,
        BatchSize = 8,
        LearningRate = 1e-2,
        Sampling = new SamplingOptions { MaxNewTokens = 4 },
    };

    // Everything at once that a checkpoint must hold or a position must give back.
    private static readonly PpoOptions Full = Small with
    {
        Steps = 8,
        UpdatesPerBatch = 4,
        Minibatches = 2,
        MicroBatchSize = 3,
        CriticWarmupSteps = 2,
        Kl = KlControl.Adaptive(0.1, target: 0.05, horizon: 50),
        UnfinishedPenalty = 0.5,
        BootstrapUnfinished = true,
        WhitenRewards = true,
        TargetKl = 0.5,
        Objective = PolicyObjectives.Ppo() with { EntropyCoefficient = 0.01 },
        Ptx = new PtxOptions([new Demonstration("0=", "ab"), new Demonstration("2=", "c")]) { BatchSize = 3 },
    };

    [Theory]
    [InlineData("shared")]
    [InlineData("own")]
    [InlineData("lora")]
    [InlineData("prompt")]
    public async Task Run_WithEverything_LeavesTheReference(string kind)
    {
        using var run = new Subject(kind, seed: 1);
        var before = Toy.Bytes(run.Reference ?? run.Policy);
        var reports = await run.Train(Full);
        Assert.Equal(8, reports.Length);
        if (run.Reference is not null)
            Assert.Equal(before, Toy.Bytes(run.Reference));
        Assert.NotEqual(reports[2].Metrics["kl/coefficient"], reports[^1].Metrics["kl/coefficient"]);
    }

    [Theory]
    [InlineData("shared")]
    [InlineData("own")]
    public async Task Run_FirstTokenRewarded_BecomesLikely(string kind)
    {
        using var run = new Subject(kind, seed: 1);
        var options = Small with
        {
            Steps = 40,
            BatchSize = 32,
            LearningRate = 2e-2,
            Sampling = new SamplingOptions { MaxNewTokens = 2 },
            Kl = KlControl.Fixed(0.01),
        };
        var reports = await run.Train(options, StartsWithA, [new Problem("0=")]);
        Assert.InRange(reports[0].Metrics["reward/mean"], 0, 0.3);
        Assert.InRange(reports[^1].Metrics["reward/mean"], 0.8, 1);
        Assert.InRange(reports[0].Metrics["kl"], -1e-6, 1e-6);
        Assert.True(reports[^1].Metrics["kl/sequence"] > 0.5);
    }

    // Over a frozen base of small random weights an adapter or a prompt can move the probabilities only a little, but it must move them the
    // right way.
    [Theory]
    [InlineData("lora")]
    [InlineData("prompt")]
    public async Task Run_FewParameters_LearnToo(string kind)
    {
        using var run = new Subject(kind, seed: 1);
        int[] prompt = Toy.Tokenizer.Encode("0=");
        int a = Assert.Single(Toy.Tokenizer.Encode("a"));
        double before = Toy.LogProbs(run.Policy, prompt)[^1][a];
        var options = Small with
        {
            Steps = 30,
            BatchSize = 64,
            LearningRate = 2e-2,
            Sampling = new SamplingOptions { MaxNewTokens = 1 },
            Kl = KlControl.Fixed(0.01),
        };
        await run.Train(options, StartsWithA, [new Problem("0=")]);
        double after = Toy.LogProbs(run.Policy, prompt)[^1][a];
        Assert.True(after > before + 0.03, $"log π of what was rewarded went from {before} to {after}");
    }

    // At ratio 1, without penalties and with a critic that says 0 everywhere, γ = λ = 1 makes every token's advantage the score.
    [Fact]
    public async Task FirstUpdate_IsThePolicyGradient()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var twin = Toy.Model(type: ScalarType.Float64);
        using var critic = ValueHead.For(model, new HeadOptions { StandardDeviation = 0 });
        var drawn = new List<Completion>();
        var reward = Reward.Of(
            "vowels",
            completion =>
            {
                drawn.Add(completion);
                return completion.Text.Count(c => c is 'a' or 'e') - 0.3;
            }
        );
        var options = Small with
        {
            UpdatesPerBatch = 1,
            Kl = KlControl.Fixed(0),
            Lambda = 1,
            WhitenAdvantages = false,
            ValueCoefficient = 0,
            MaxGradNorm = double.PositiveInfinity,
        };
        using var trainer = new PpoTrainer(model, Toy.Tokenizer, reward, options with { Critic = critic });
        var report = await trainer.StepAsync(Problems);
        Assert.Equal(3, drawn.Count);
        using var scope = NewDisposeScope();
        var loss = zeros(1, dtype: ScalarType.Float64);
        foreach (var completion in drawn)
        {
            var prompt = Toy.Tokenizer.Encode(completion.Problem.Prompt);
            long[] ids = [.. prompt.Concat(completion.Tokens).Select(id => (long)id)];
            var logProbs = twin.call(tensor(ids).unsqueeze(0)).log_softmax(-1);
            for (int t = 0; t < completion.Tokens.Length; t++)
                loss =
                    loss - logProbs[0, prompt.Length - 1 + t, completion.Tokens[t]] * (completion.Text.Count(c => c is 'a' or 'e') - 0.3);
        }
        (loss / drawn.Sum(completion => completion.Tokens.Length)).sum().backward();
        foreach (var (a, b) in twin.parameters().Zip(model.parameters()))
            TensorAssert.Close(a.grad!, b.grad!, 1e-9);
        Assert.True(report.Metrics["grad_norm"] > 0.1);
        Assert.Equal(0, report.Metrics["policy/clip_fraction"]);
        Assert.Equal(0, report.Metrics["policy/old_kl"]);
        Assert.Equal(0, report.Metrics["value/mean"]);
    }

    // Two completions, "a b" that ended and "c" that did not. β = 0.1; log-ratios to the reference 1, −2 and 3; scores 1 and 2, the second
    // less 0.5; token rewards 0.25 at "a" and −1 at "c". r = (−0.1 + 0.25, 0.2 + 1) and (−0.3 + 1.5 − 1). V = (0.5, −0.5 | 0.9) and (1 |
    // 0.4): δ = (0.15 − 0.5 − 0.5, 1.2 + 0.5) and (0.2 + 0.4 − 1), the 0.4 only where a cut is bootstrapped.
    [Fact]
    public void TokenRewards_AndAdvantages_AreTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var judged = Judged();
        using var rollouts = judged.Rollouts;
        var logProbs = tensor(
            new double[,]
            {
                { -1, -2 },
                { -1, 0 },
            }
        );
        var reference = tensor(
            new double[,]
            {
                { -2, 0 },
                { -4, 99 },
            }
        );
        var options = new PpoOptions
        {
            UnfinishedPenalty = 0.5,
            Gamma = 1,
            Lambda = 0.5,
            WhitenAdvantages = false,
        };
        var rewards = PpoRewards.Of(judged, logProbs, reference, options, 0.1);
        TensorAssert.Close([0.15, 1.2, 0.2, 0], rewards, 1e-12);
        var states = tensor(
            new double[,]
            {
                { 0.5, -0.5, 0.9 },
                { 1, 0.4, 7 },
            }
        );
        var mask = rollouts.CompletionMask;
        var cut = PpoRewards.Advantages(rewards, states, [true, false], mask, options);
        TensorAssert.Close([-0.85 + 0.5 * 1.7, 1.7, -0.8, 0], cut.Advantages, 1e-12);
        TensorAssert.Close([0.5, 1.2, 0.2, 0], cut.Returns, 1e-12);
        var bootstrapped = PpoRewards.Advantages(rewards, states, [true, false], mask, options with { BootstrapUnfinished = true });
        TensorAssert.Close([0, 1.7, -0.4, 0], bootstrapped.Advantages, 1e-12);
        TensorAssert.Close([0.5, 1.2, 0.6, 0], bootstrapped.Returns, 1e-12);
        // (0, 1.7, −0.8): mean 0.3, squares about it 0.09 + 1.96 + 1.21, a variance of 3.26/3.
        double deviation = Math.Sqrt(3.26 / 3 + 1e-8);
        TensorAssert.Close(
            [-0.3 / deviation, 1.4 / deviation, -1.1 / deviation, 0],
            PpoRewards.Advantages(rewards, states, [true, false], mask, options with { WhitenAdvantages = true }).Advantages,
            1e-12
        );
        // Returns (0.5, 1.2, 0.2) about 1.9/3, errors (0, 1.7, −0.8) about 0.3.
        double all = (0.25 + 1.44 + 0.04) / 3 - Math.Pow(1.9 / 3, 2);
        Assert.Equal(1 - 3.26 / 3 / all, PpoRewards.ExplainedVariance(states.narrow(1, 0, 2), cut.Returns, mask)!.Value, 1e-12);
        Assert.Null(PpoRewards.ExplainedVariance(states.narrow(1, 0, 2), ones_like(cut.Returns), mask));
        // Without a reference nothing is subtracted.
        TensorAssert.Close([0.25, 1, 0.5, 0], PpoRewards.Of(judged, logProbs, null, options, 0), 1e-12);
    }

    [Fact]
    public async Task Run_Metrics_AreTheDocumentedOnes()
    {
        string[] names =
        [
            "completion/finished",
            "completion/length",
            "entropy",
            "grad_norm",
            "kl",
            "kl/coefficient",
            "kl/sequence",
            "learning_rate",
            "policy/clip_fraction",
            "policy/loss",
            "policy/old_kl",
            "policy/updates",
            "reward/length",
            "reward/mean",
            "reward/std",
            "reward/total",
            "time/critic",
            "time/reference",
            "time/reward",
            "time/rollout",
            "time/update",
            "tokens_per_second",
            "value/clip_fraction",
            "value/explained_variance",
            "value/loss",
            "value/mean",
            "value/return",
        ];
        using var model = new DropoutLm(Toy.Tokenizer.VocabularySize, scale: 0);
        using var reference = new DropoutLm(Toy.Tokenizer.VocabularySize, scale: 0);
        using var critic = ValueHead.For(model, new HeadOptions { StandardDeviation = 0 });
        using var trainer = new PpoTrainer(model, Toy.Tokenizer, Length, Small with { Critic = critic, Reference = reference });
        var metrics = (await trainer.StepAsync(Problems)).Metrics;
        Assert.Equal(names, metrics.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(Math.Log(20), metrics["entropy"], 1e-5);
        Assert.Equal(0, metrics["kl"], 1e-6);
        Assert.Equal(4, metrics["policy/updates"]);
        Assert.Equal(metrics["reward/mean"], metrics["reward/total"], 1e-5);

        using var warm = new Subject("shared", 1);
        var tokenReward = TokenReward.Of("tokens", completion => [.. completion.Tokens.Select(_ => 0.5)]);
        var report = (await warm.Train(Full with { Steps = 1, CriticWarmupSteps = 0 }, tokenReward: tokenReward))[0];
        Assert.Equal(0.5 * report.Metrics["completion/length"], report.Metrics["reward/tokens"], 1e-9);
        Assert.True(report.Metrics["ptx/loss"] > 0);
        Assert.InRange(report.Metrics["ptx/accuracy"], 0, 1);
    }

    [Theory]
    [InlineData("shared")]
    [InlineData("own")]
    public async Task CriticWarmup_LeavesThePolicyAlone_AndTheCriticLearns(string kind)
    {
        using var run = new Subject(kind, 1);
        // What a run before has left behind.
        using (var sum = run.Policy.parameters().First().sum())
            sum.backward();
        var before = Toy.Bytes(run.Policy);
        // The value of a prompt is known from its length.
        var reward = Reward.Of("prompt", completion => completion.Problem.Prompt.Length);
        var reports = await run.Train(
            Small with
            {
                Steps = 30,
                BatchSize = 16,
                CriticWarmupSteps = 30,
                ValueCoefficient = 1,
                ValueClip = null,
                WeightDecay = 0.1,
            },
            reward
        );
        Assert.Equal(before, Toy.Bytes(run.Policy));
        Assert.False(reports[0].Metrics.ContainsKey("policy/loss"));
        Assert.True(reports[^1].Metrics["value/loss"] < 0.5 * reports[0].Metrics["value/loss"]);
        // A head alone cannot read the prompt out of a random body's states.
        if (kind == "own")
            Assert.InRange(reports[^1].Metrics["value/explained_variance"], 0.9, 1);
    }

    [Fact]
    public async Task TargetKl_EndsTheUpdatesOnABatch()
    {
        using var free = new Subject("shared", 1);
        using var bound = new Subject("shared", 1);
        var options = Small with { Steps = 1, UpdatesPerBatch = 8, LearningRate = 0.1 };
        Assert.Equal(8, (await free.Train(options))[0].Metrics["policy/updates"]);
        var report = (await bound.Train(options with { TargetKl = 1e-3 }))[0];
        Assert.Equal(2, report.Metrics["policy/updates"]);
    }

    [Fact]
    public async Task StepRewards_StandAtTheEndsOfSteps()
    {
        var steps = StepReward.OfAll(
            "steps",
            (completions, _, _) =>
                ValueTask.FromResult<IReadOnlyList<double[]>>([
                    .. completions.Select(completion => completion.Steps.Select((_, k) => k == 1 ? double.NaN : 1.0 + k).ToArray()),
                ])
        );
        // "ab+c+d" in steps that + separates: "ab" ends at token 1, "c" does not apply, "d" ends at token 5.
        int[] tokens = [.. Toy.Tokenizer.Encode("ab+c+d"), Toy.Tokenizer.EndOfSequenceId!.Value];
        var completion = new Completion(Problems[0], "ab+c+d", tokens, true);
        var scores = await TokenReward
            .AtStepEnds(steps, Toy.Tokenizer, weight: 2, separator: "+")
            .ScoreTokensAsync([completion], RewardContext.None);
        Assert.Equal([0, 2, 0, 0, 0, 6, 0], Assert.Single(scores));

        using var run = new Subject("shared", 1);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            run.Train(Small, tokenReward: TokenReward.Of("short", _ => []))
        );
        Assert.Contains("token reward 'short' returned 0 values for completion 0, expected", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            run.Train(Small, tokenReward: TokenReward.Of("nan", one => [.. one.Tokens.Select(_ => double.NaN)]))
        );
        Assert.Contains("token reward 'nan' returned NaN for token 0 of completion 0", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Steps_LeaveNoTensorBehind()
    {
        foreach (var kind in (string[])["shared", "own"])
        {
            using var run = new Subject(kind, 1);
            using var trainer = run.Trainer(Full with { Steps = 6, CriticWarmupSteps = 0 });
            var alive = new List<long>();
            await foreach (var _ in trainer.RunAsync(Problems))
                alive.Add(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            Assert.All(alive[1..], count => Assert.Equal(alive[1], count));
        }
    }

    [Fact]
    public void Refusals_NameWhatWasGiven()
    {
        using var model = Toy.Model();
        using var head = ValueHead.For(model);
        void Refused(string name, string range, PpoOptions options)
        {
            var error = Assert.Throws<ArgumentOutOfRangeException>(() =>
                new PpoTrainer(model, Toy.Tokenizer, Length, options with { Critic = head, Reference = model })
            );
            Assert.Equal(name, error.ParamName);
            Assert.Contains(range, error.Message, StringComparison.Ordinal);
        }

        Refused("UpdatesPerBatch", "a multiple of Minibatches, 3", Small with { Minibatches = 3 });
        Refused("Gamma", "between 0 and 1", Small with { Gamma = 1.1 });
        Refused("Lambda", "between 0 and 1", Small with { Lambda = -0.1 });
        Refused("ValueClip", "at least 0", Small with { ValueClip = -1 });
        Refused("TargetKl", "above 0", Small with { TargetKl = 0 });
        Refused("CriticWarmupSteps", "at least 0", Small with { CriticWarmupSteps = -1 });
        var single = Small with
        {
            BatchSize = 1,
            GroupSize = 1,
            Sampling = new SamplingOptions { MaxNewTokens = 1 },
            Critic = head,
            Reference = model,
        };
        var whitened = Assert.Throws<ArgumentException>(() => new PpoTrainer(model, Toy.Tokenizer, Length, single));
        Assert.Equal("WhitenAdvantages", whitened.ParamName);
        Assert.Contains("the advantage of a single token would be 0", whitened.Message, StringComparison.Ordinal);
        foreach (
            var fine in new[]
            {
                single with
                {
                    WhitenAdvantages = false,
                },
                single with
                {
                    BatchSize = 2,
                },
                single with
                {
                    GroupSize = 2,
                },
                single with
                {
                    Sampling = new SamplingOptions { MaxNewTokens = 2 },
                },
            }
        )
            using (new PpoTrainer(model, Toy.Tokenizer, Length, fine)) { }
        Assert.Contains(
            "Demonstrations is empty",
            Assert
                .Throws<ArgumentException>(() =>
                    new PpoTrainer(model, Toy.Tokenizer, Length, Small with { Ptx = new PtxOptions([]), Critic = head, Reference = model })
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "a KL coefficient is 0.05, but Reference is null",
            Assert.Throws<ArgumentException>(() => new PpoTrainer(model, Toy.Tokenizer, Length, Small with { Critic = head })).Message,
            StringComparison.Ordinal
        );
        using var other = Toy.Model(seed: 2);
        using var stranger = ValueHead.For(other);
        Assert.Contains(
            "a head on another model",
            Assert
                .Throws<ArgumentException>(() =>
                    new PpoTrainer(model, Toy.Tokenizer, Length, Small with { Critic = stranger, Reference = model })
                )
                .Message,
            StringComparison.Ordinal
        );
        var state = new PpoState(KlControl.Fixed(0.1));
        Assert.Throws<InvalidDataException>(() => state.Restore(new Dictionary<string, double>(), new Dictionary<string, Tensor>()));
        Assert.Throws<InvalidDataException>(() =>
            state.Restore(new Dictionary<string, double> { ["kl_coefficient"] = double.NaN }, new Dictionary<string, Tensor>())
        );
        Assert.Equal(1, new PpoOptions().GroupSize);
    }

    // Where values are clipped, or a divergence ends the updates, rounding decides which branch is taken.
    internal static TrainerCase Case(string kind) =>
        TrainerCase.Of(
            run => new Subject(kind, seed: 1, run.Type),
            (subject, run) =>
                subject.Train(
                    Full with
                    {
                        Steps = run.Steps,
                        CriticWarmupSteps = 1,
                        TargetKl = null,
                        ValueClip = null,
                        MicroBatchSize = run.MicroBatch,
                        Distributed = run.Distributed,
                        Optimizer = run.Optimizer,
                        CheckpointDirectory = run.Directory,
                        CheckpointEvery = TrainerRun.CheckpointEvery,
                    },
                    resume: run.Resume
                ),
            subject => [subject.Policy, subject.Critic]
        );

    /// <summary>Minibatches of three and four completions, and every term beside the clipped surrogate.</summary>
    internal static IEnumerable<KeyValuePair<string, TrainerCase>> Variants =>
        new LossAggregation?[] { null, LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) }
            .Select(entropy =>
                KeyValuePair.Create(
                    $"ppo terms, entropy by {entropy}",
                    TrainerCase.Of(
                        run => new Subject("shared", seed: 1, run.Type),
                        (subject, run) =>
                            subject.Train(
                                Full with
                                {
                                    Steps = run.Steps,
                                    BatchSize = 7,
                                    CriticWarmupSteps = 1,
                                    TargetKl = null,
                                    MicroBatchSize = run.MicroBatch,
                                    Distributed = run.Distributed,
                                    Optimizer = run.Optimizer,
                                    Objective = PolicyObjectives.Ppo() with
                                    {
                                        Aggregation = LossAggregation.SequenceMean,
                                        EntropyCoefficient = 0.05,
                                        EntropyAggregation = entropy,
                                        Beta = 0.1,
                                        CorrectKl = true,
                                    },
                                }
                            ),
                        subject => [subject.Policy, subject.Critic]
                    )
                )
            )
            .Append(
                KeyValuePair.Create(
                    "ppo, turns with an environment, and a correction",
                    TrainerCase.Of(
                        run => new Subject("shared", seed: 1, run.Type),
                        (subject, run) =>
                            subject.Train(
                                Full with
                                {
                                    Steps = run.Steps,
                                    BatchSize = 7,
                                    CriticWarmupSteps = 1,
                                    TargetKl = null,
                                    MicroBatchSize = run.MicroBatch,
                                    Distributed = run.Distributed,
                                    Optimizer = run.Optimizer,
                                    Environment = new EnvironmentOptions(TrainerVariants.Echo) { MaxTurns = 2, MaxTurnTokens = 2 },
                                    Sampling = new SamplingOptions { MaxNewTokens = 7 },
                                    Correction = ImportanceCorrection.Tis(),
                                }
                            ),
                        subject => [subject.Policy, subject.Critic]
                    )
                )
            );

    private static JudgedRollouts Judged()
    {
        var ids = tensor(
            new long[,]
            {
                { 1, 2, 3 },
                { 1, 4, 0 },
            }
        );
        var rollouts = new RolloutBatch(
            ids,
            ones_like(ids),
            tensor(
                new double[,]
                {
                    { 1, 1 },
                    { 1, 0 },
                }
            ),
            zeros(2, 2, dtype: ScalarType.Float64),
            1,
            [
                [2, 3],
                [4],
            ],
            [true, false]
        );
        Completion[] completions = [new(Problems[0], "ab", [2, 3], true), new(Problems[0], "c", [4], false)];
        return new JudgedRollouts(rollouts, [new(Problems[0], [1]), new(Problems[0], [1])], completions, RewardScores.Of("score", [1, 2]))
        {
            TokenRewards =
            [
                [0.25, 0],
                [-1],
            ],
        };
    }

    /// <summary>A policy of each kind that is trained, with its critic and its reference.</summary>
    private sealed class Subject : IDisposable
    {
        private readonly Stack<IDisposable> owned = new();

        internal Subject(string kind, ulong seed, ScalarType type = ScalarType.Float32)
        {
            var model = Keep(Toy.Model(seed, type));
            Policy = model;
            if (kind == "lora")
            {
                var adapted = Keep(AdaptedModel.Attach(model, new LoraOptions { Rank = 8, Targets = ModuleSelection.AllLinear }, seed: 3));
                Frozen = adapted.Reference(model);
            }
            else
            {
                Frozen = Reference = Keep(Toy.Model(seed, type));
                if (kind == "prompt")
                    Policy = Keep(new SoftPromptLm(model, new PromptTable(Numbers.Uniform(5, 0.02, 4, 16).to_type(type))));
            }
            Critic = Keep(kind == "own" ? ValueHead.WithOwnBody(Toy.Model(seed + 1, type)) : ValueHead.For(Policy));
        }

        internal CausalLm Policy { get; }

        internal CausalLm? Reference { get; }

        internal ValueHead Critic { get; }

        private ReferencePolicy? Frozen { get; }

        public void Dispose()
        {
            while (owned.TryPop(out var item))
                item.Dispose();
        }

        internal PpoTrainer Trainer(PpoOptions options, IReward? reward = null, ITokenReward? tokenReward = null) =>
            new(Policy, Toy.Tokenizer, reward ?? Length, options with { Critic = Critic, Reference = Frozen, TokenReward = tokenReward });

        internal async Task<StepReport[]> Train(
            PpoOptions options,
            IReward? reward = null,
            Problem[]? problems = null,
            ITokenReward? tokenReward = null,
            string? resume = null
        )
        {
            using var trainer = Trainer(options, reward, tokenReward);
            if (resume is not null)
                trainer.Resume(resume);
            var reports = new List<StepReport>();
            await foreach (var report in trainer.RunAsync(problems ?? Problems))
                reports.Add(report);
            return [.. reports];
        }

        private T Keep<T>(T item)
            where T : IDisposable
        {
            owned.Push(item);
            return item;
        }
    }
}
