using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Runtime;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>A program that trains the toy and prints its live tensors and its resident memory after each tenth of the steps.</summary>
/// <remarks>Arguments: <see cref="Command"/>, a trainer of <see cref="Trainers"/>, a number of steps, and optionally <c>kept</c> for a kept
/// heap.</remarks>
internal static class FlatMemoryRun
{
    internal const string Command = "flat-memory";

    /// <summary>Every trainer that is watched.</summary>
    internal static IReadOnlyList<string> Trainers { get; } = ["sft", "dpo", "grpo"];

    internal static async Task<int> RunAsync(string trainer, int steps, bool keepHeap)
    {
        if (keepHeap)
            NativeSettings.KeepFreedMemory();
        using var learner = Learner(trainer, steps, out var reports);
        await foreach (var report in reports)
        {
            if (report.Step % (steps / 10) == 0)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Step} {Tensor.TotalCount} {Resident()}"));
        }
        return 0;
    }

    private static IDisposable Learner(string trainer, int steps, out IAsyncEnumerable<StepReport> reports)
    {
        switch (trainer)
        {
            case "sft":
                var supervised = new SftTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    new SftOptions
                    {
                        Steps = steps,
                        BatchSize = 4,
                        MicroBatchSize = 2,
                    }
                );
                reports = supervised
                    .Run([new("0=", "ab"), new("1+1=", "bcd"), new("2=", "a"), new("7=", "abcdef"), new("9=", "c")])
                    .ToAsyncEnumerable();
                return supervised;
            case "dpo":
                var preferring = new DpoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    ReferencePolicy.Of(Toy.Model()),
                    new DpoOptions { Steps = steps, BatchSize = 2 }
                );
                reports = preferring
                    .Run([new("0=", "ab", "b"), new("1+1=", "a", "bcd"), new("2=", "aab", "ba"), new("7=", "", "c")])
                    .ToAsyncEnumerable();
                return preferring;
            default:
                var rewarded = new GrpoTrainer(
                    Toy.Model(),
                    Toy.Tokenizer,
                    Reward.Of("length", completion => completion.Text.Length),
                    new GrpoOptions
                    {
                        Steps = steps,
                        BatchSize = 2,
                        GroupSize = 4,
                        UpdatesPerBatch = 2,
                        Objective = PolicyObjectives.Grpo() with { Beta = 0.04 },
                        Sampling = new SamplingOptions { MaxNewTokens = 4 },
                        Reference = ReferencePolicy.Of(Toy.Model()),
                    }
                );
                reports = rewarded.RunAsync([new("0="), new("1="), new("3+1=")]);
                return rewarded;
        }
    }

    // Managed garbage is given back to the system first: it waits for a collection, native tensors wait for nothing.
    private static long Resident()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return Environment.WorkingSet;
    }
}
