using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Training.Distributed;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Distributed;

/// <summary>Runs trainers of the tables as one process, as threads, or as a rank of <c>mpirun</c>: then a program of its own.</summary>
/// <remarks>Arguments behind <see cref="Command"/>: a folder for the results of every rank, a word of <see cref="Options"/>, and names of
/// trainers.</remarks>
internal static class RankedRun
{
    internal const string Command = "ranks";
    internal const int Steps = 3;

    /// <summary>What a program of several ranks writes on each.</summary>
    internal static readonly JsonSerializerOptions Json = new() { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    /// <summary>Trainers that rollouts ahead of the steps keep to one process.</summary>
    internal static bool IsRefused(string name) => name.Contains("asynchronous", StringComparison.Ordinal);

    internal static TrainerCase Case(string name) => TrainerTable.All.GetValueOrDefault(name) ?? TrainerVariants.All[name];

    /// <summary>Runs a trainer in float64 with gradient descent, whose gradients are kept.</summary>
    internal static async Task<RankedResult> TrainAsync(string name, int? microBatch, DistributedOptions options)
    {
        var gradients = new RecordedGradients();
        var result = await Case(name)
            .Run(
                new TrainerRun(Steps, microBatch)
                {
                    Type = ScalarType.Float64,
                    Optimizer = gradients.Optimizer,
                    Distributed = options,
                }
            );
        return new RankedResult(result.Reports, result.Parameters, [.. gradients.Updates]);
    }

    /// <summary>Runs a trainer as threads, and returns what each rank has.</summary>
    internal static async Task<RankedResult[]> AsThreadsAsync(string name, int ranks, int? microBatch, DistributedOptions options)
    {
        var results = new RankedResult[ranks];
        await InProcessCollectives.RunAsync(ranks, async own => results[own.Rank] = await TrainAsync(name, microBatch, options));
        return results;
    }

    /// <summary>The program of a rank.</summary>
    internal static async Task<int> RunAsync(string[] args)
    {
        var (folder, mode) = (args[0], args[1]);
        int rank = int.Parse(Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") ?? "0", CultureInfo.InvariantCulture);
        var results = new Dictionary<string, RankedResult>();
        foreach (var name in args[2..])
            results[name] = await TrainAsync(name, MicroBatchOf(mode), Options[mode]);
        await File.WriteAllTextAsync(Path.Combine(folder, $"rank-{rank}.json"), JsonSerializer.Serialize(results, Json));
        return 0;
    }

    /// <summary>How the ranks of a run work together, by a word.</summary>
    internal static IReadOnlyDictionary<string, DistributedOptions> Options { get; } =
        new Dictionary<string, DistributedOptions>
        {
            ["fast"] = new(),
            ["ordered"] = new() { FixedOrder = true },
            ["sharded"] = new() { Sharding = StateSharding.Gradients, SplitRewards = true },
        };

    /// <summary>Rows of a part in such a run.</summary>
    internal static int? MicroBatchOf(string mode) => mode == "fast" ? null : 1;
}
