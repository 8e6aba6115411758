using System.Text.Json;
using PostTrain.Tests.Support;

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

    [MpiMeasurementFact]
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
            // Started by mpirun too, with the same threads: as one process it knows nothing of ranks.
            var alone = (await RunAsync(1, mode, names))[0];
            foreach (var (rank, results) in (await RunAsync(ranks, mode, names)).Index())
            foreach (var name in names)
                Compare(alone[name], results[name], mode, $"{name}, rank {rank} of {ranks}");
        }
    }

    private async Task<Dictionary<string, RankedResult>[]> RunAsync(int ranks, string mode, string[] names)
    {
        var folder = directory.File($"{ranks}-{mode}");
        Directory.CreateDirectory(folder);
        var (code, _, errors) = MpiCommand.Run(ranks, TimeSpan.FromMinutes(20), [RankedRun.Command, folder, mode, .. names]);
        Assert.True(code == 0, errors);
        var found = new Dictionary<string, RankedResult>[ranks];
        for (int rank = 0; rank < ranks; rank++)
            found[rank] = JsonSerializer.Deserialize<Dictionary<string, RankedResult>>(
                await File.ReadAllTextAsync(Path.Combine(folder, $"rank-{rank}.json")),
                RankedRun.Json
            )!;
        return found;
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
