using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>Whatever throws in a step, a run that goes on gives the weights, and the evaluations, of one that nothing
/// interrupted.</summary>
// Dropout draws from the generator that the whole process shares.
[Collection("Sequential")]
public sealed class InterruptedRunTests : IDisposable
{
    private const int Steps = 6;
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1=", "ba"), new("2=", "aa")];
    private static readonly Problem[] Problems = [new("0="), new("1="), new("2=")];
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    public static TheoryData<string, string> Interruptions
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (var trainer in new[] { "sft", "grpo" })
            foreach (var place in new[] { "observer", "diagnostics", "evaluation", "checkpoint", "loss" })
                all.Add(trainer, place);
            foreach (var place in new[] { "reward", "completion observer" })
                all.Add("grpo", place);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Interruptions))]
    public async Task GoingOn_GivesTheUninterruptedRun(string trainer, string place)
    {
        var (expected, weights) = await Run(trainer, place, fails: false);
        var (actual, after) = await Run(trainer, place, fails: true);
        Assert.Equal(weights, after);
        // What an observer, a checkpoint or a listener costs is the report of the loop, not the step.
        bool lost = place is "observer" or "diagnostics" or "completion observer" or "checkpoint";
        Assert.Equal(lost ? Steps - 1 : Steps, actual.Count);
        foreach (var report in actual)
            Assert.Equal(Toy.Numbers(expected[(int)report.Step - 1]), Toy.Numbers(report));
    }

    // The second step is interrupted once, where it is said, and the loop begun again.
    private async Task<(List<StepReport> Reports, byte[] Weights)> Run(string kind, string place, bool fails)
    {
        manual_seed(fails ? 1 : 2);
        using var model = new InterruptedLm();
        string checkpoints = directory.File(fails ? "broken" : "whole"),
            blocked = Path.Combine(checkpoints, "checkpoint-00000002");
        int step = 1,
            calls = 0;
        bool due = fails;
        void Fail(string where)
        {
            if (!due || where != place || step != 2)
                return;
            due = false;
            throw new InvalidTimeZoneException(where);
        }

        model.Logits = (logits, training) =>
        {
            if (!training && kind == "sft")
                Fail("evaluation");
            // In the second part of a batch, when the first has drawn its dropout and has its gradient.
            if (training && ++calls % 2 == 0)
                Fail("loss");
            return logits;
        };
        var warnings = new Listener<Warning>(_ => Fail("diagnostics"));
        var observers = new IProgress<StepReport>[]
        {
            new Listener<StepReport>(_ => Fail("observer")),
            MetricsLog.Open(
                directory.File("metrics.jsonl"),
                diagnostics: new TrainingDiagnostics(warnings, [new Always()]) { QuietReports = 1 }
            ),
            new Listener<StepReport>(report => step = (int)report.Step + 1),
        };
        var reports = new List<StepReport>();
        if (fails && place == "checkpoint")
        {
            // A file stands where the directory is to be made.
            Directory.CreateDirectory(checkpoints);
            await File.WriteAllTextAsync(blocked, "");
        }
        using var sft = kind == "sft" ? new SftTrainer(model, Toy.Tokenizer, Common(new SftOptions())) : null;
        using var grpo =
            kind == "sft"
                ? null
                : new GrpoTrainer(
                    model,
                    Toy.Tokenizer,
                    Reward.OfAll(
                        "length",
                        completions =>
                        {
                            if (completions.Count == Problems.Length)
                                Fail("evaluation");
                            else
                                Fail("reward");
                            return [.. completions.Select(completion => (double)completion.Text.Length)];
                        }
                    ),
                    Common(
                        new GrpoOptions
                        {
                            GroupSize = 4,
                            UpdatesPerBatch = place == "loss" ? 1 : 2,
                            Sampling = new SamplingOptions { MaxNewTokens = 4 },
                            CompletionObservers = [new Listener<CompletionReport>(_ => Fail("completion observer"))],
                        }
                    ) with
                    {
                        Evaluation = new EvaluationOptions
                        {
                            Every = 2,
                            Metric = "eval/reward/mean",
                            HigherIsBetter = true,
                        },
                    }
                );
        try
        {
            await Loop();
        }
        catch (Exception error) when (fails && error is InvalidTimeZoneException or IOException)
        {
            Assert.Equal(place is "loss" or "reward" ? 1 : 2, sft?.StepsDone ?? grpo!.StepsDone);
            if (place == "checkpoint")
                File.Delete(blocked);
            (fails, step) = (false, 3);
            await Loop();
        }
        Assert.False(due && place != "checkpoint", "nothing failed");
        ((IDisposable)observers[1]).Dispose();
        Assert.Equal(
            Enumerable.Range(1, Steps).Select(i => (long)i),
            MetricsLog.Read(directory.File("metrics.jsonl")).Select(report => report.Step)
        );
        return (reports, Toy.Bytes(model));

        async Task Loop()
        {
            if (sft is not null)
                foreach (var report in sft.Run(Shown, Shown))
                    reports.Add(report);
            else
                await foreach (var report in grpo!.RunAsync(Problems, Problems))
                    reports.Add(report);
        }

        T Common<T>(T options)
            where T : TrainingOptions =>
            options with
            {
                Steps = Steps,
                BatchSize = 2,
                MicroBatchSize = kind == "sft" ? 1 : 4,
                LearningRate = 1e-2,
                CheckpointDirectory = checkpoints,
                CheckpointEvery = 2,
                Observers = observers,
                Evaluation = new EvaluationOptions { Every = 2 },
            };
    }

    [Fact]
    public async Task Checkpoints_OfAStepWhoseObserverThrows_AreWritten_AndOtherObserversAreTold()
    {
        using var model = new InterruptedLm();
        var told = new List<long>();
        using var trainer = new SftTrainer(
            model,
            Toy.Tokenizer,
            new SftOptions
            {
                Steps = 3,
                BatchSize = 2,
                CheckpointDirectory = directory.Path,
                CheckpointEvery = 1,
                Observers =
                [
                    new Listener<StepReport>(report => throw new InvalidTimeZoneException("first")),
                    new Listener<StepReport>(report => told.Add(report.Step)),
                    new Listener<StepReport>(_ => throw new InvalidTimeZoneException("last")),
                ],
            }
        );
        for (int step = 1; step <= 3; step++)
        {
            Assert.Equal("first", Assert.Throws<InvalidTimeZoneException>(() => trainer.Run(Shown).First()).Message);
            Assert.Equal(step, trainer.StepsDone);
            Assert.Equal(directory.File($"checkpoint-{step:D8}"), Checkpoint.Latest(directory.Path));
        }
        Assert.Equal([1L, 2, 3], told);
        Assert.Empty(trainer.Run(Shown));
        await Task.CompletedTask;
    }

    [Fact]
    public void MovingReference_MovesOnce_HoweverOftenAStepIsTried()
    {
        PreferencePair[] pairs = [new("0=", "ab", "b"), new("1+1=", "a", "bcd")];
        (byte[] Policy, byte[] Reference) Train(bool fails)
        {
            using var model = new InterruptedLm();
            using var reference = new InterruptedLm();
            using var trainer = new DpoTrainer(
                model,
                Toy.Tokenizer,
                reference,
                new DpoOptions
                {
                    Steps = 5,
                    BatchSize = 2,
                    LearningRate = 1e-2,
                    ReferenceSyncEvery = 2,
                    ReferenceMix = 0.5,
                }
            );
            int tries = fails ? 2 : 0;
            model.Logits = (logits, training) =>
                training && trainer.StepsDone == 2 && tries-- > 0 ? throw new InvalidTimeZoneException() : logits;
            while (trainer.StepsDone < 5)
            {
                try
                {
                    foreach (var _ in trainer.Run(pairs)) { }
                }
                catch (InvalidTimeZoneException) { }
            }
            return (Toy.Bytes(model), Toy.Bytes(reference));
        }

        var (whole, broken) = (Train(false), Train(true));
        Assert.Equal(whole.Reference, broken.Reference);
        Assert.Equal(whole.Policy, broken.Policy);
    }

    // The first of two updates is made and cannot be taken back: the trainer says so, and goes on from a checkpoint.
    [Fact]
    public async Task FailureBetweenUpdates_IsRefusedUntilTheRunIsResumed()
    {
        async Task<byte[]> Train(bool fails)
        {
            using var model = new InterruptedLm();
            var options = new GrpoOptions
            {
                Steps = 4,
                BatchSize = 2,
                GroupSize = 4,
                UpdatesPerBatch = 2,
                LearningRate = 1e-2,
                Sampling = new SamplingOptions { MaxNewTokens = 4 },
                CheckpointDirectory = directory.File($"{fails}"),
                CheckpointEvery = 1,
            };
            using var trainer = new GrpoTrainer(model, Toy.Tokenizer, Reward.Of("length", completion => completion.Text.Length), options);
            int updates = 0;
            model.Logits = (logits, training) => training && ++updates == 6 && fails ? throw new InvalidTimeZoneException() : logits;
            async Task Loop()
            {
                await foreach (var _ in trainer.RunAsync(Problems)) { }
            }

            if (fails)
            {
                await Assert.ThrowsAsync<InvalidTimeZoneException>(Loop);
                Assert.Equal(2, trainer.StepsDone);
                var refused = await Assert.ThrowsAsync<InvalidOperationException>(Loop);
                Assert.Contains("step 3 failed after 1 of its updates", refused.Message, StringComparison.Ordinal);
                trainer.Resume(Checkpoint.Latest(options.CheckpointDirectory!)!);
            }
            await Loop();
            return Toy.Bytes(model);
        }

        Assert.Equal(await Train(false), await Train(true));
    }

    private sealed record Always : DiagnosticRule
    {
        public override string Name => "always";

        public override string Advice => "None.";

        public override Finding? Look(RunCourse course) => course.Step % 2 == 0 ? new Finding(course.Step, "It is.") : null;
    }

    private sealed class Listener<T>(Action<T> told) : IProgress<T>
    {
        public void Report(T value) => told(value);
    }
}
