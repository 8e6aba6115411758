using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>A program that trains the toy and goes on from its latest checkpoint when it is started again: what
/// <see cref="KilledRunTests"/> kills.</summary>
/// <remarks>Arguments: a trainer of <see cref="Trainers"/> and a directory for checkpoints and metrics.jsonl. Prints <c>ready</c> when it
/// is about to train, and <c>step N</c> after each step.</remarks>
internal static class KilledRun
{
    internal const int Steps = 16;
    private static readonly string[] Prompts = ["0=", "1=", "2=", "3+1=", "4="];

    /// <summary>Every trainer whose runs are killed.</summary>
    internal static IReadOnlyList<string> Trainers { get; } = ["sft", "dpo", "kto", "grpo", "ahead", "ppo"];

    private static async Task<int> Main(string[] args)
    {
        if (args is [Robustness.WorstCalls.Command])
            return Robustness.WorstCalls.Run();
        if (args is [FlatMemoryRun.Command, var watched, var steps, .. var heap])
            return await FlatMemoryRun.RunAsync(watched, int.Parse(steps, CultureInfo.InvariantCulture), heap is ["kept"]);
        if (args is [Distributed.RankedSpeed.Command])
            return Distributed.RankedSpeed.Run();
        if (args is [Distributed.RankedRun.Command, .. var ranked])
            return await Distributed.RankedRun.RunAsync(ranked);
        if (args is not [var trainer, var directory] || !Trainers.Contains(trainer))
            throw new ArgumentException($"expected one of {string.Join(", ", Trainers)} and a directory", nameof(args));
        var checkpoint = Checkpoint.Latest(directory);
        using var metrics = MetricsLog.Open(
            Path.Combine(directory, "metrics.jsonl"),
            checkpoint is null ? null : Checkpoint.ReadState(checkpoint).Step
        );
        Console.WriteLine("ready");
        await foreach (var report in Run(trainer, directory, checkpoint, metrics))
            Console.WriteLine(FormattableString.Invariant($"step {report.Step}"));
        return 0;
    }

    private static IAsyncEnumerable<StepReport> Run(string trainer, string directory, string? checkpoint, MetricsLog metrics)
    {
        // Dropout, so that the generator's state counts too.
        var supervised = new SftOptions
        {
            Steps = Steps,
            BatchSize = 2,
            MicroBatchSize = 1,
            LearningRate = 1e-2,
            WarmupSteps = 2,
            Schedule = LearningRateSchedule.Cosine,
            WeightDecay = 0.1,
            Seed = 3,
            CheckpointDirectory = directory,
            CheckpointEvery = 1,
            Observers = [metrics],
            Evaluation = new EvaluationOptions { Every = 3 },
        };
        PreferencePair[] pairs = [new("0=", "ab", "b"), new("1+1=", "a", "bcd"), new("2=", "aab", "ba"), new("7=", "", "c")];
        JudgedCompletion[] judged = [new("0=", "ab", true), new("1+1=", "bcd", false), new("2=", "aab", true), new("7=", "c", false)];
        Demonstration[] shown = [.. Prompts.Select(prompt => new Demonstration(prompt, "ab"))];
        return trainer switch
        {
            "sft" => Offline(
                new SftTrainer(new DropoutLm(Toy.Tokenizer.VocabularySize), Toy.Tokenizer, supervised),
                shown,
                shown[..2],
                checkpoint
            ),
            // The best and the last two are kept, others pruned.
            "dpo" => Offline(
                new DpoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    ReferencePolicy.Of(Toy.Model()),
                    new DpoOptions
                    {
                        Steps = Steps,
                        BatchSize = 2,
                        LearningRate = 1e-2,
                        Seed = 3,
                        CheckpointDirectory = directory,
                        CheckpointEvery = 1,
                        KeepCheckpoints = 2,
                        Observers = [metrics],
                        Evaluation = new EvaluationOptions { Every = 4 },
                    }
                ),
                pairs,
                pairs[..2],
                checkpoint
            ),
            "kto" => Offline(
                new KtoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    ReferencePolicy.Of(Toy.Model()),
                    new KtoOptions
                    {
                        Steps = Steps,
                        BatchSize = 2,
                        LearningRate = 1e-2,
                        Seed = 3,
                        CheckpointDirectory = directory,
                        CheckpointEvery = 2,
                        Observers = [metrics],
                    }
                ),
                judged,
                null,
                checkpoint
            ),
            "ppo" => Online(Ppo(directory, metrics), checkpoint),
            _ => Online(
                new GrpoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    Reward.Of("length", completion => completion.Text.Length),
                    new GrpoOptions
                    {
                        Steps = Steps,
                        BatchSize = 2,
                        GroupSize = 4,
                        UpdatesPerBatch = 2,
                        LearningRate = 1e-2,
                        Seed = 3,
                        CheckpointDirectory = directory,
                        CheckpointEvery = 2,
                        Observers = [metrics],
                        Sampling = new SamplingOptions { MaxNewTokens = 4 },
                        Asynchronous = trainer == "ahead" ? new AsynchronousOptions { MaxLag = 2 } : null,
                    }
                ),
                checkpoint
            ),
        };
    }

    // An adaptive KL coefficient and a critic of its own: both are in the checkpoint.
    private static PpoTrainer Ppo(string directory, MetricsLog metrics) =>
        new(
            Toy.Model(),
            Toy.Tokenizer,
            Reward.Of("length", completion => completion.Text.Length),
            new PpoOptions
            {
                Steps = Steps,
                BatchSize = 4,
                LearningRate = 1e-2,
                Seed = 3,
                CheckpointDirectory = directory,
                CheckpointEvery = 2,
                Kl = KlControl.Adaptive(0.1, target: 0.5, horizon: 20),
                Observers = [metrics],
                Sampling = new SamplingOptions { MaxNewTokens = 4 },
                Critic = ValueHead.WithOwnBody(Toy.Model(seed: 2)),
                Reference = ReferencePolicy.Of(Toy.Model()),
            }
        );

    private static async IAsyncEnumerable<StepReport> Offline<T>(
        DatasetTrainer<T> trainer,
        IReadOnlyList<T> data,
        IReadOnlyList<T>? evaluation,
        string? checkpoint
    )
    {
        using (trainer)
        {
            if (checkpoint is not null)
                trainer.Resume(checkpoint);
            foreach (var report in trainer.Run(data, evaluation))
                yield return report;
        }
        await Task.CompletedTask;
    }

    private static async IAsyncEnumerable<StepReport> Online(RolloutTrainer trainer, string? checkpoint)
    {
        using (trainer)
        {
            if (checkpoint is not null)
                trainer.Resume(checkpoint);
            await foreach (var report in trainer.RunAsync([.. Prompts.Select(prompt => new Problem(prompt))]))
                yield return report;
        }
    }
}
