using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Preference.Online;
using PostTrain.RewardModeling;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Supervised;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Preference;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>Trainers with every option that adds a term to a loss, beside <see cref="TrainerTable"/>.</summary>
internal static class TrainerVariants
{
    private static readonly PreferencePair[] Pairs =
    [
        new("0=", "ab", "b"),
        new("1+1=", "a", "bcd"),
        new("2=", "aab", "ba"),
        new("7=", "", "c"),
        new("3=", "abcd", "d"),
    ];
    private static readonly Demonstration[] Shown =
    [
        new("0=", "ab"),
        new("1+1=", "bcd"),
        new("2=", "aab"),
        new("7=", ""),
        new("3=", "f0f1"),
    ];

    internal static IReadOnlyDictionary<string, TrainerCase> All { get; } =
        new Dictionary<string, TrainerCase>([
            .. Named(
                "dpo loss",
                DpoLosses,
                objective => (model, run) => Dpo(model, run, objective with { PolicyWeights = true, TailWeight = 0.5 })
            ),
            .. Named(
                "cpo loss",
                CpoObjectives,
                objective =>
                    (model, run) =>
                        Offline(run, new CpoTrainer(model, Toy.Tokenizer, With(new CpoOptions { Objective = objective }, run)), Pairs)
            ),
            .. Named(
                "sft terms",
                SftTerms,
                options => (model, run) => Offline(run, new SftTrainer(model, Toy.Tokenizer, With(options, run)), Shown)
            ),
            .. Named("online", OnlineObjectives, options => (model, run) => Online(model, run, options)),
            .. Named("grpo terms", GrpoTerms, options => (model, run) => Grpo(model, run, options)),
            .. Named(
                "surrogate",
                Surrogates,
                objective => (model, run) => Grpo(model, run, GrpoRuns.Small with { Objective = objective, UpdatesPerBatch = 2 })
            ),
            new(
                "reward smoothed",
                TrainerCase.Of<SequenceClassifier>(run => SequenceClassifier.For(Toy.Model(run.Seed, run.Type)), Reward)
            ),
            .. PpoTrainerTests.Variants,
        ]);

    private static Dictionary<string, DpoOptions> DpoLosses =>
        PreferenceData
            .DpoLosses.Where(loss => !loss.Key.StartsWith("aot", StringComparison.Ordinal))
            .ToDictionary(loss => loss.Key, loss => new DpoOptions { Loss = loss.Value, PositivePenalty = 2 })
            .Concat([
                new(
                    "nested mixture",
                    new DpoOptions
                    {
                        Loss = DpoLoss.Weighted((0.5, DpoLoss.Rpo()), (2, DpoLoss.ApoZero)),
                        Divergence = FDivergence.JensenShannon,
                    }
                ),
            ])
            .ToDictionary();

    private static Dictionary<string, CpoObjective> CpoObjectives =>
        new()
        {
            ["simpo with likelihood"] = CpoObjective.Simpo() with { LikelihoodWeight = 0.3 },
            ["alphapo with likelihood"] = CpoObjective.AlphaPo() with { LikelihoodWeight = 0.3 },
            ["tpo"] = CpoObjective.TpoL(),
        };

    private static Dictionary<string, SftOptions> SftTerms =>
        new()
        {
            ["smoothed"] = new SftOptions { LabelSmoothing = 0.1, ZLoss = 1e-2 },
            ["dft sums"] = new SftOptions
            {
                Weighting = TokenWeighting.Probability,
                ZLoss = 1e-2,
                Aggregation = LossAggregation.TokenSum,
            },
            ["sequences"] = new SftOptions
            {
                LabelSmoothing = 0.1,
                ZLoss = 1e-2,
                Aggregation = LossAggregation.SequenceMean,
            },
            ["constant"] = new SftOptions
            {
                LabelSmoothing = 0.1,
                ZLoss = 1e-2,
                Aggregation = LossAggregation.SequenceSum(5),
                Packing = true,
            },
        };

    private static Dictionary<string, OnlineDpoOptions> OnlineObjectives =>
        new()
        {
            ["rpo"] = new OnlineDpoOptions { Objective = new DpoObjective { Loss = DpoLoss.Rpo() } },
            ["mpo of four"] = new OnlineDpoOptions
            {
                Objective = new DpoObjective { Loss = DpoLoss.Mpo() },
                GroupSize = 4,
            },
            ["xpo with rpo"] = new OnlineDpoOptions
            {
                Objective = new DpoObjective { Loss = DpoLoss.Rpo() },
                Method = OnlineMethod.Xpo(1e-2),
            },
        };

    private static LossAggregation[] Aggregations =>
        [
            LossAggregation.TokenMean,
            LossAggregation.TokenSum,
            LossAggregation.SequenceMean,
            LossAggregation.SequenceSum(5),
            LossAggregation.SequenceMeanOfSums,
        ];

    private static PolicyObjective[] Objectives =>
        [PolicyObjectives.Grpo(), PolicyObjectives.Dapo(), PolicyObjectives.DrGrpo(4), PolicyObjectives.Luspo()];

    /// <summary>Answers a turn by its first character, but not one that begins with an even digit.</summary>
    internal static IEnvironment Echo =>
        RolloutEnvironment.Of(
            "echo",
            (turn, _) =>
                Task.FromResult(
                    turn.Text is ['0' or '2' or '4' or '6' or '8', ..] ? null : $"={turn.Text[..Math.Min(1, turn.Text.Length)]}"
                )
        );

    private static KeyValuePair<string, GrpoOptions> WithEntropy(PolicyObjective objective, LossAggregation entropy) =>
        new(
            $"{objective.Name}, entropy by {entropy}",
            GrpoRuns.Small with
            {
                Objective = objective with { Beta = 0.1, CorrectKl = true, EntropyCoefficient = 0.05, EntropyAggregation = entropy },
                UpdatesPerBatch = 2,
                Tokens = new TokenSelection { DropUnfinished = true, OffPolicyThreshold = 0.01 },
            }
        );

    private static Dictionary<string, GrpoOptions> GrpoTerms =>
        Aggregations
            .SelectMany(entropy => Objectives.Select(objective => WithEntropy(objective, entropy)))
            .Concat([
                new(
                    "VESPO, correction of sequences",
                    GrpoRuns.Small with
                    {
                        Objective = PolicyObjectives.Vespo(),
                        Correction = ImportanceCorrection.Tis() with { WholeSequences = true },
                        UpdatesPerBatch = 2,
                    }
                ),
                new(
                    "GRPO, correction of sequences",
                    GrpoRuns.Small with
                    {
                        Correction = ImportanceCorrection.IcePop() with { WholeSequences = true },
                        Overlong = new OverlongPenalty { Buffer = 2 },
                    }
                ),
                new(
                    "turns with an environment, and a rejection",
                    GrpoRuns.Small with
                    {
                        Environment = new EnvironmentOptions(Echo) { MaxTurns = 2, MaxTurnTokens = 2 },
                        Sampling = new SamplingOptions { MaxNewTokens = 7 },
                        Correction = ImportanceCorrection.Tis() with
                        {
                            Rejections = [RolloutRejection.K3(RejectionLevel.SequenceMax, 1e-4)],
                        },
                        UpdatesPerBatch = 2,
                    }
                ),
                new(
                    "asynchronous",
                    GrpoRuns.Small with
                    {
                        Asynchronous = new AsynchronousOptions { MaxLag = 2 },
                        Staleness = new StalenessLimits { MaximumGap = double.PositiveInfinity },
                        UpdatesPerBatch = 2,
                    }
                ),
                new(
                    "asynchronous with a correction and an environment",
                    GrpoRuns.Small with
                    {
                        Asynchronous = new AsynchronousOptions { MaxLag = 1 },
                        Staleness = new StalenessLimits { MaximumGap = double.PositiveInfinity },
                        Environment = new EnvironmentOptions(Echo) { MaxTurns = 2, MaxTurnTokens = 2 },
                        Correction = ImportanceCorrection.Tis() with { WholeSequences = true },
                    }
                ),
                new(
                    "adaptive entropy by tokens",
                    GrpoRuns.Small with
                    {
                        Objective = PolicyObjectives.Grpo() with { EntropyAggregation = LossAggregation.TokenMean },
                        Entropy = EntropyControl.Adaptive(target: 2.9, change: 0.01, coefficient: 0.05),
                        Kl = KlPenalty.Loss(KlControl.Adaptive(0.1, target: 0.05, horizon: 50)),
                        UpdatesPerBatch = 2,
                    }
                ),
            ])
            .ToDictionary();

    private static Dictionary<string, PolicyObjective> Surrogates =>
        new PolicySurrogate[]
        {
            PolicySurrogate.Ratio,
            PolicySurrogate.DualClip(0.2),
            PolicySurrogate.TwoSided(0.2, 1.1),
            PolicySurrogate.Cispo(1.2, 0.9),
            PolicySurrogate.DppoTv(0.1),
            PolicySurrogate.DppoKl(0.05),
            PolicySurrogate.Dro(0.5),
        }
            .Select(
                (surrogate, i) =>
                    PolicyObjectives.Grpo() with
                    {
                        Name = surrogate.ToString(),
                        Surrogate = surrogate,
                        Ratio = (RatioLevel)(i % 4),
                        Beta = 0.1,
                        KlEstimator = (KlEstimator)(i % 5),
                    }
            )
            .ToDictionary(objective => objective.Name);

    private static IEnumerable<KeyValuePair<string, TrainerCase>> Named<T>(
        string family,
        Dictionary<string, T> options,
        Func<T, Func<Decoder, TrainerRun, Task<StepReport[]>>> train
    ) =>
        options.Select(item =>
            KeyValuePair.Create($"{family} {item.Key}", TrainerCase.Of(run => Toy.Model(run.Seed, run.Type), train(item.Value)))
        );

    private static T With<T>(T options, TrainerRun run)
        where T : TrainingOptions =>
        options with
        {
            Steps = run.Steps,
            BatchSize = 5,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 1e-2,
        };

    private static Task<StepReport[]> Dpo(CausalLm model, TrainerRun run, DpoOptions options)
    {
        using var reference = Toy.Model(seed: 4, run.Type);
        return Offline(run, new DpoTrainer(model, Toy.Tokenizer, reference, With(options, run)), Pairs);
    }

    private static StepReport[] Reward(SequenceClassifier model, TrainerRun run)
    {
        var options = new RewardOptions
        {
            CenteringCoefficient = 0.1,
            LabelSmoothing = 0.1,
            Margin = pair => pair.Chosen.Length,
        };
        using var trainer = new RewardTrainer(model, Toy.Tokenizer, With(options, run));
        return [.. trainer.Run([.. Pairs, Pairs[0] with { Probability = 0.7 }])];
    }

    private static Task<StepReport[]> Offline<T>(TrainerRun run, DatasetTrainer<T> trainer, T[] data)
    {
        using (trainer)
            return Task.FromResult<StepReport[]>([.. trainer.Run(data)]);
    }

    private static async Task<StepReport[]> Online(CausalLm model, TrainerRun run, OnlineDpoOptions options)
    {
        using var reference = Toy.Model(seed: 4, run.Type);
        using var trainer = new OnlineDpoTrainer(
            model,
            Toy.Tokenizer,
            GrpoRuns.EvenAndLength,
            With(options, run) with
            {
                Sampling = new SamplingOptions { MaxNewTokens = 4, SuppressedTokens = [Toy.Tokenizer.PaddingId] },
                UpdatesPerBatch = 2,
                Reference = ReferencePolicy.Of(reference),
            }
        );
        return await Reports(trainer);
    }

    private static async Task<StepReport[]> Grpo(CausalLm model, TrainerRun run, GrpoOptions options)
    {
        using var reference = Toy.Model(seed: 4, run.Type);
        using var trainer = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            GrpoRuns.EvenAndLength,
            options with
            {
                Steps = run.Steps,
                MicroBatchSize = run.MicroBatch,
                Distributed = run.Distributed,
                Reference = reference,
                Optimizer = run.Optimizer,
            }
        );
        return await Reports(trainer);
    }

    private static async Task<StepReport[]> Reports(RolloutTrainer trainer)
    {
        var reports = new List<StepReport>();
        await foreach (var report in trainer.RunAsync(GrpoRuns.Problems))
            reports.Add(report);
        return [.. reports];
    }
}
