using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Supervised;
using PostTrain.Tests.Distillation;
using PostTrain.Tests.Policy;
using PostTrain.Tests.Preference;
using PostTrain.Tests.RewardModeling;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>Every trainer in its variants.</summary>
internal static class TrainerTable
{
    private static readonly Demonstration[] Shown =
    [
        new("a=", "bcd"),
        new("b=", "dc"),
        new("c=", "f0f1"),
        .. Enumerable.Range(0, 7).Select(i => new Demonstration($"{i}=", $"{i}{7 - i}")),
        new("0+1+2+3=", "6"),
    ];

    internal static IReadOnlyDictionary<string, TrainerCase> All { get; } =
        new Dictionary<string, TrainerCase>([
            new("sft", Sft(options => options)),
            new("sft sequences", Sft(options => options with { Aggregation = LossAggregation.SequenceMean })),
            new("sft packed", Sft(options => options with { Packing = true })),
            new("sft lora", SftWithAdapter(new LoraOptions { Targets = ModuleSelection.AllLinear, Rank = 2 })),
            new("sft adalora", SftWithAdapter(AdaLora)),
            new("grpo adalora", GrpoWithAdapter(AdaLora)),
            .. Named(
                "preference",
                PreferenceTrainerTests.Names,
                name => TrainerCase.Of(Model, (model, run) => PreferenceTrainerTests.Train(name, model, run))
            ),
            .. Named(
                "online",
                OnlineDpoTrainerTests.Names,
                name => TrainerCase.Of(Model, (model, run) => OnlineDpoTrainerTests.Train(name, model, run))
            ),
            .. Named(
                "reward",
                RewardTrainerTests.Names,
                name =>
                    TrainerCase.Of<SequenceClassifier>(
                        run => RewardTrainerTests.Model(name, run.Type, seed: run.Seed),
                        (model, run) => RewardTrainerTests.Train(name, model, run)
                    )
            ),
            .. Named(
                "distillation",
                DistillationTrainerTests.OfflineNames,
                name => TrainerCase.Of(Model, (model, run) => DistillationTrainerTests.Train(name, model, run))
            ),
            .. Named(
                "on-policy distillation",
                DistillationTrainerTests.OnPolicyNames,
                name => TrainerCase.Of(Model, (model, run) => DistillationTrainerTests.Sampled(name, model, run))
            ),
            .. Named(
                "grpo",
                GrpoPartsTests.Names,
                name => TrainerCase.Of(Model, (model, run) => Grpo(model, run, GrpoPartsTests.Options(name)))
            ),
            .. Named(
                "preset",
                GrpoRuns.Presets.Keys,
                name =>
                    TrainerCase.Of(
                        Model,
                        (model, run) =>
                            Grpo(
                                model,
                                run,
                                GrpoRuns.Small with
                                {
                                    Objective = GrpoRuns.Presets[name] with { Beta = 0.1, EntropyCoefficient = 0.01 },
                                    UpdatesPerBatch = 2,
                                    Tokens = new TokenSelection { TopEntropy = 0.6 },
                                }
                            )
                    )
            ),
            .. Named("ppo", ["shared", "own", "lora", "prompt"], PpoTrainerTests.Case),
        ]);

    private static IEnumerable<KeyValuePair<string, TrainerCase>> Named(
        string family,
        IEnumerable<string> names,
        Func<string, TrainerCase> make
    ) => names.Select(name => KeyValuePair.Create($"{family} {name}", make(name)));

    private static Decoder Model(TrainerRun run) => Toy.Model(run.Seed, run.Type);

    private static TrainerCase Sft(Func<SftOptions, SftOptions> change) => TrainerCase.Of(Model, (model, run) => Sft(model, run, change));

    // The base is frozen, so that it is the same for all; the adapter starts at nothing.
    private static TrainerCase SftWithAdapter(AdapterOptions options) =>
        TrainerCase.Of(
            run => new Adapted(run, options),
            (adapted, run) => Task.FromResult(Sft(adapted.Model, run, options => options)),
            adapted => [adapted.Model]
        );

    private static AdaLoraOptions AdaLora =>
        new()
        {
            Targets = ModuleSelection.AllLinear,
            InitialRank = 4,
            TargetRank = 2,
            FinalSteps = 1,
        };

    private static TrainerCase GrpoWithAdapter(AdapterOptions options) =>
        TrainerCase.Of(
            run => new Adapted(run, options),
            (adapted, run) => Grpo(adapted.Model, run, GrpoRuns.Small with { UpdatesPerBatch = 2 }),
            adapted => [adapted.Model]
        );

    private static StepReport[] Sft(CausalLm model, TrainerRun run, Func<SftOptions, SftOptions> change)
    {
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            change(
                new SftOptions
                {
                    Steps = run.Steps,
                    BatchSize = 8,
                    MicroBatchSize = run.MicroBatch,
                    Distributed = run.Distributed,
                    Optimizer = run.Optimizer,
                    LearningRate = 1e-2,
                    WarmupSteps = 2,
                    Schedule = LearningRateSchedule.Cosine,
                    WeightDecay = 0.1,
                    CheckpointDirectory = run.Directory,
                    CheckpointEvery = TrainerRun.CheckpointEvery,
                }
            )
        );
        if (run.Resume is not null)
            trainer.Resume(run.Resume);
        return [.. trainer.Run(Shown)];
    }

    private static async Task<StepReport[]> Grpo(CausalLm model, TrainerRun run, GrpoOptions options)
    {
        using var reference = Toy.Model(seed: 2, run.Type);
        return await GrpoRuns.Train(
            model,
            GrpoRuns.EvenAndLength,
            options with
            {
                Steps = run.Steps,
                MicroBatchSize = run.MicroBatch,
                Distributed = run.Distributed,
                Optimizer = run.Optimizer,
                CheckpointDirectory = run.Directory,
                CheckpointEvery = TrainerRun.CheckpointEvery,
            },
            reference,
            resume: run.Resume
        );
    }

    private sealed class Adapted : IDisposable
    {
        private readonly AdaptedModel adapter;

        internal Adapted(TrainerRun run, AdapterOptions options)
        {
            Model = Toy.Model(type: run.Type);
            adapter = AdaptedModel.Attach(Model, options, seed: 3);
        }

        internal Decoder Model { get; }

        public void Dispose()
        {
            adapter.Dispose();
            Model.Dispose();
        }
    }
}
