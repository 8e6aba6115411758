using System.Text.Json;
using PostTrain.Tests.Support;
using PostTrain.Training.Distributed;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>Trainers as processes that Open MPI joins give what one process gives.</summary>
[Collection("Sequential")]
public sealed class MpiTests : IDisposable
{
    private static readonly string[] Some = ["sft packed", "preference kto", "grpo remax", "ppo own"];
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [MpiFact]
    public async Task Processes_GiveWhatOneProcessGives() => await CompareAsync(2, Some, "fast", "ordered", "sharded");

    [MeasurementFact]
    public async Task TwoToFourProcesses_GiveWhatOneProcessGives_ForEveryTrainer()
    {
        foreach (int ranks in new[] { 2, 3, 4 })
        {
            await CompareAsync(ranks, RankedTrainersTests.Names, "fast", "ordered");
            await CompareAsync(ranks, Some, "sharded");
        }
    }

    private async Task CompareAsync(int ranks, string[] names, params string[] modes)
    {
        foreach (var mode in modes)
        {
            var folder = directory.File($"{ranks}-{mode}");
            Directory.CreateDirectory(folder);
            var (code, _, errors) = MpiCommand.Run(ranks, TimeSpan.FromMinutes(20), [RankedRun.Command, folder, mode, .. names]);
            Assert.True(code == 0, errors);
            var found = new List<Dictionary<string, RankedResult>>();
            for (int rank = 0; rank < ranks; rank++)
                found.Add(
                    JsonSerializer.Deserialize<Dictionary<string, RankedResult>>(
                        await File.ReadAllTextAsync(Path.Combine(folder, $"rank-{rank}.json")),
                        RankedRun.Json
                    )!
                );
            foreach (var name in names)
            {
                var alone = await RankedRun.TrainAsync(name, RankedRun.MicroBatchOf(mode), new DistributedOptions());
                foreach (var (rank, results) in found.Index())
                    Compare(alone, results[name], mode, $"{name}, rank {rank} of {ranks}");
            }
        }
    }

    private static void Compare(RankedResult alone, RankedResult actual, string mode, string what)
    {
        if (mode == "ordered")
            RankedComparison.Same(alone, actual, what);
        else if (mode == "fast")
            RankedComparison.Near(alone, actual, what);
        else
            // Each rank keeps the gradients of its own parameters only.
            RankedComparison.Near(alone with { Gradients = [] }, actual with { Gradients = [] }, what);
    }
}
