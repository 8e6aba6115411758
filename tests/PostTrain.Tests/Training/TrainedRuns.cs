using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>Six steps of either trainer, from the start or from a checkpoint.</summary>
internal static class TrainedRuns
{
    private static readonly string[] Prompts = ["0=", "1=", "2=", "3+1=", "4="];

    /// <param name="trainer"><c>sft</c> or <c>grpo</c>.</param>
    /// <param name="model">What is trained.</param>
    /// <param name="directory">Where checkpoints go, one after every third step.</param>
    /// <param name="resume">The checkpoint to go on from.</param>
    /// <param name="between">Called after each step.</param>
    /// <param name="judging">Called with each judged completion (GRPO).</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="cancellation">Given to the trainer.</param>
    internal static async Task<List<Dictionary<string, double>>> Run(
        string trainer,
        CausalLm model,
        string? directory,
        string? resume = null,
        Action<StepReport>? between = null,
        Action? judging = null,
        ulong seed = 3,
        CancellationToken cancellation = default
    )
    {
        var reports = new List<Dictionary<string, double>>();
        void Keep(StepReport report)
        {
            reports.Add(Toy.Numbers(report));
            between?.Invoke(report);
        }

        if (trainer == "sft")
        {
            using var sft = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 6,
                    BatchSize = 2,
                    MicroBatchSize = 1,
                    LearningRate = 1e-2,
                    WarmupSteps = 2,
                    Schedule = LearningRateSchedule.Cosine,
                    WeightDecay = 0.1,
                    Seed = seed,
                    CheckpointDirectory = directory,
                    CheckpointEvery = 3,
                }
            );
            if (resume is not null)
                sft.Resume(resume);
            foreach (var report in sft.Run([.. Prompts.Select(prompt => new Demonstration(prompt, "ab"))], cancellation: cancellation))
                Keep(report);
            return reports;
        }

        var reward = Reward.Of(
            "length",
            completion =>
            {
                judging?.Invoke();
                return completion.Text.Length;
            }
        );
        using var grpo = new GrpoTrainer(
            model,
            Toy.Tokenizer,
            reward,
            new GrpoOptions
            {
                Steps = 6,
                BatchSize = 2,
                GroupSize = 4,
                UpdatesPerBatch = 2,
                LearningRate = 1e-2,
                WarmupSteps = 2,
                Schedule = LearningRateSchedule.Linear,
                Seed = seed,
                CheckpointDirectory = directory,
                CheckpointEvery = 3,
                Sampling = new SamplingOptions { MaxNewTokens = 4 },
            }
        );
        if (resume is not null)
            grpo.Resume(resume);
        await foreach (var report in grpo.RunAsync([.. Prompts.Select(prompt => new Problem(prompt))], cancellation: cancellation))
            Keep(report);
        return reports;
    }
}
