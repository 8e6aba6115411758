using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

[Collection("Sequential")]
public sealed class PreferenceTrainerTests
{
    private static readonly PreferencePair[] Pairs =
    [
        new("0=", "ab", "b"),
        new("1+1=", "a", "bcd"),
        new("2=", "aab", "ba"),
        new("7=", "", "c"),
    ];
    private static readonly JudgedCompletion[] Judged =
    [
        new("0=", "ab", true),
        new("1+1=", "bcd", false),
        new("2=", "aab", true),
        new("7=", "c", false),
    ];

    internal static string[] Names { get; } = ["dpo", "ipo", "ld-wpo", "tr-dpo", "cpo", "simpo", "orpo", "orpo-text", "kto"];

    public static TheoryData<string> Trainers => [.. Names];

    [Theory]
    [MemberData(nameof(Trainers))]
    public void Run_Learns(string name)
    {
        using var model = Toy.Model();
        var reports = Train(name, model, steps: 12);
        Assert.True(
            reports[^1].Metrics["reward/chosen"] > reports[^1].Metrics["reward/rejected"],
            "the chosen completions have no higher reward"
        );
        Assert.True(reports[^1].Loss < reports[0].Loss, $"the loss went from {reports[0].Loss} to {reports[^1].Loss}");
    }

    // At the start policy and reference agree: h = 0, so −log σ(0) = log 2, (0 − 1/(2β))² = 25 for IPO, and 1 − σ(0) = ½ for KTO.
    [Theory]
    [InlineData("dpo", 0.69314718055994529)]
    [InlineData("ipo", 25)]
    [InlineData("kto", 0.5)]
    public void FirstStep_PolicyIsTheReference_HasTheKnownLoss(string name, double loss)
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        var report = Train(name, model, steps: 1)[0];
        Assert.Equal(loss, report.Loss, 1e-12);
        Assert.Equal(0, report.Metrics["reward/chosen"], 1e-12);
    }

    // Two pairs by hand: the rewards are β(log π − log π_ref) of the completions' tokens and the end of sequence.
    [Fact]
    public void Evaluate_Dpo_IsTheFormulaOfTheModelsLogProbs()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var reference = Toy.Model(seed: 4, type: ScalarType.Float64);
        using var trainer = new DpoTrainer(model, Toy.Tokenizer, reference, new DpoOptions { Beta = 0.3 });
        double D(string prompt, string completion) => LogProb(model, prompt, completion) - LogProb(reference, prompt, completion);
        double[] margins = [.. Pairs.Select(pair => 0.3 * (D(pair.Prompt, pair.Chosen) - D(pair.Prompt, pair.Rejected)))];
        var metrics = trainer.Evaluate(Pairs);
        Assert.Equal(margins.Average(h => Math.Log(1 + Math.Exp(-h))), metrics["eval/loss"], 1e-12);
        Assert.Equal(margins.Average(), metrics["eval/reward/margin"], 1e-12);
        Assert.Equal(margins.Count(h => h > 0) / 4.0, metrics["eval/reward/accuracy"], 1e-12);
        Assert.Equal(Pairs.Average(pair => LogProb(model, pair.Prompt, pair.Chosen)), metrics["eval/logp/chosen"], 1e-12);
    }

    [Theory]
    [InlineData("dpo")]
    [InlineData("ld-wpo")]
    [InlineData("kto")]
    public void PrecomputedReference_IsTheSameRun(string name)
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var other = Toy.Model(type: ScalarType.Float64);
        var asked = Train(name, model, steps: 5, microBatch: 2);
        var known = Train(name, other, steps: 5, microBatch: 2, precompute: true);
        Assert.Equal(asked.Select(report => report.Loss), known.Select(report => report.Loss), (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Fact]
    public void Reference_KeepsItsBytes_UnlessItFollows()
    {
        using var model = Toy.Model();
        using var reference = Toy.Model();
        var before = Toy.Bytes(reference);
        Run(new DpoTrainer(model, Toy.Tokenizer, reference, Options(4)));
        Assert.Equal(before, Toy.Bytes(reference));
        // A copy at step 3 of 4: the reference is the policy as the fourth step found it.
        using var again = Toy.Model();
        byte[]? third = null;
        using var trainer = new DpoTrainer(again, Toy.Tokenizer, reference, Options(4) with { ReferenceSyncEvery = 3, ReferenceMix = 1 });
        foreach (var report in trainer.Run(Pairs))
            if (report.Step == 3)
                third = Toy.Bytes(again);
        Assert.Equal(third, Toy.Bytes(reference));

        static DpoOptions Options(int steps) =>
            new()
            {
                Steps = steps,
                BatchSize = 2,
                LearningRate = 1e-2,
            };
        static void Run(DpoTrainer trainer)
        {
            using (trainer)
                _ = trainer.Run(Pairs).Last();
        }
    }

    [Fact]
    public void Run_LeaksNothing()
    {
        foreach (var name in Trainers)
        {
            using var model = Toy.Model();
            using var reference = Toy.Model();
            var alive = Run(name, model, reference, new TrainerRun(6))
                .Select(_ => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount)
                .ToArray();
            Assert.Single(alive[2..].Distinct());
        }
    }

    [Fact]
    public void Refusals_NameWhatWasGiven()
    {
        using var model = Toy.Model();
        Assert.Contains(
            "reference is null",
            Assert.Throws<ArgumentException>(() => new DpoTrainer(model, Toy.Tokenizer, null, new DpoOptions())).Message,
            StringComparison.Ordinal
        );
        using var free = new DpoTrainer(model, Toy.Tokenizer, null, new DpoOptions { ReferenceFree = true });
        var error = Assert.Throws<ArgumentException>(() => free.Run([Pairs[0], new("0=", "a", new string('b', 40))]));
        Assert.Contains("data[1].Rejected has 43 tokens", error.Message, StringComparison.Ordinal);
        Assert.Contains(
            "needs a reference that is a model of its own",
            Assert
                .Throws<ArgumentException>(() =>
                    new DpoTrainer(
                        model,
                        Toy.Tokenizer,
                        ReferencePolicy.WithoutAdapter(model, () => no_grad()),
                        new DpoOptions { ReferenceSyncEvery = 2 }
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new KtoTrainer(model, Toy.Tokenizer, ReferencePolicy.Of(model), new KtoOptions { BatchSize = 1 })
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => new OrpoTrainer(model, Toy.Tokenizer, new OrpoOptions { Lambda = 0 }));
    }

    private static double LogProb(CausalLm model, string prompt, string completion)
    {
        int start = Toy.Tokenizer.Encode(prompt).Length;
        int[] ids = [.. Toy.Tokenizer.Encode(prompt + completion), Toy.Tokenizer.EndOfSequenceId!.Value];
        var logProbs = Toy.LogProbs(model, ids);
        return Enumerable.Range(start, ids.Length - start).Sum(t => logProbs[t - 1][ids[t]]);
    }

    internal static StepReport[] Train(string name, CausalLm model, TrainerRun run)
    {
        using var reference = Toy.Model(type: model.parameters().First().dtype);
        return [.. Run(name, model, reference, run)];
    }

    private static StepReport[] Train(string name, CausalLm model, int steps, int? microBatch = null, bool precompute = false)
    {
        using var reference = Toy.Model(type: model.parameters().First().dtype);
        return [.. Run(name, model, reference, new TrainerRun(steps, microBatch), precompute)];
    }

    private static IEnumerable<StepReport> Run(string name, CausalLm model, CausalLm reference, TrainerRun run, bool precompute = false)
    {
        if (name == "kto")
            return Steps(
                new KtoTrainer(
                    model,
                    Toy.Tokenizer,
                    ReferencePolicy.Of(reference),
                    new KtoOptions
                    {
                        Steps = run.Steps,
                        BatchSize = 4,
                        MicroBatchSize = run.MicroBatch,
                        Distributed = run.Distributed,
                        Optimizer = run.Optimizer,
                        LearningRate = 1e-2,
                        CheckpointDirectory = run.Directory,
                        CheckpointEvery = TrainerRun.CheckpointEvery,
                        PrecomputeReference = precompute,
                    }
                ),
                Judged,
                run.Resume
            );
        var dpo = new DpoOptions
        {
            Steps = run.Steps,
            BatchSize = 4,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 1e-2,
            CheckpointDirectory = run.Directory,
            CheckpointEvery = TrainerRun.CheckpointEvery,
            PrecomputeReference = precompute,
        };
        var cpo = new CpoOptions
        {
            Steps = run.Steps,
            BatchSize = 4,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 1e-2,
            CheckpointDirectory = run.Directory,
            CheckpointEvery = TrainerRun.CheckpointEvery,
        };
        var orpo = new OrpoOptions
        {
            Steps = run.Steps,
            BatchSize = 4,
            MicroBatchSize = run.MicroBatch,
            Distributed = run.Distributed,
            Optimizer = run.Optimizer,
            LearningRate = 1e-2,
            CheckpointDirectory = run.Directory,
            CheckpointEvery = TrainerRun.CheckpointEvery,
        };
        DatasetTrainer<PreferencePair> trainer = name switch
        {
            "dpo" => new DpoTrainer(model, Toy.Tokenizer, reference, dpo),
            "ipo" => new DpoTrainer(model, Toy.Tokenizer, reference, dpo with { Loss = DpoLoss.Ipo() }),
            "ld-wpo" => new DpoTrainer(model, Toy.Tokenizer, reference, dpo with { TailWeight = 0.5, PolicyWeights = true }),
            "tr-dpo" => new DpoTrainer(model, Toy.Tokenizer, reference, dpo with { ReferenceSyncEvery = 4, ReferenceMix = 0.5 }),
            "cpo" => new CpoTrainer(model, Toy.Tokenizer, cpo),
            "simpo" => new CpoTrainer(model, Toy.Tokenizer, cpo with { Objective = CpoObjective.Simpo() }),
            "orpo" => new OrpoTrainer(model, Toy.Tokenizer, orpo),
            _ => new OrpoTrainer(model, Toy.Tokenizer, orpo with { Likelihood = OrpoLikelihood.PromptAndCompletion }),
        };
        return Steps(trainer, Pairs, run.Resume);
    }

    private static IEnumerable<StepReport> Steps<T>(DatasetTrainer<T> trainer, IReadOnlyList<T> data, string? resume)
    {
        using (trainer)
        {
            if (resume is not null)
                trainer.Resume(resume);
            foreach (var report in trainer.Run(data))
                yield return report;
        }
    }
}
