using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Benchmarks.Workloads;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Times workloads and writes a result line for each; progress goes to standard error.</summary>
internal static class WorkloadRunner
{
    private const double LeastSecondsForMemory = 1e-3;

    /// <returns>The process's exit code: 0, or 2 where the arguments are wrong or select nothing.</returns>
    public static int Run(IReadOnlyList<string> arguments)
    {
        try
        {
            var options = RunnerOptions.Parse(arguments);
            var chosen = WorkloadRegistry.All.SelectMany(workload => workload.Sizes, (workload, size) => (workload, size))
                .Where(pair => options.Selects(pair.workload.Id, pair.size)).ToArray();
            if (chosen.Length == 0)
                throw new FormatException($"nothing is called {string.Join(", ", options.Patterns)}; ids: {string.Join(", ", WorkloadRegistry.All.Select(workload => workload.Id))}");
            Run(options, chosen);
            return 0;
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"bench: {error.Message}");
            return 2;
        }
    }

    private static void Run(RunnerOptions options, (IWorkload Workload, string Size)[] chosen)
    {
        set_num_threads(options.Threads);
        using var results = new ResultWriter(options.Path);
        using var calibration = new Calibration(options.Threads);
        for (int i = 0; i < 50; i++) calibration.Measure();
        var timer = new WorkloadTimer(calibration, options.Patience);
        for (int i = 0; i < chosen.Length; i++)
        {
            var (workload, size) = chosen[i];
            using var scope = NewDisposeScope();
            using var inputs = new Inputs();
            var call = workload.Setup(size, inputs);
            var timing = timer.Time(call.Run);
            long? memory = timing.Median >= LeastSecondsForMemory ? ResidentMemory.ExtraOf(call.Run) : null;
            double value = call.Amount is { } amount ? amount / timing.Median : timing.Median * 1e6;
            results.Write(Line(workload.Id, size, options.Threads, call, timing, memory, value));
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"[{i + 1}/{chosen.Length}] {workload.Id} {size}: {value:G4} {call.Unit} ({timing.Kept} samples, {(timing.Quiet ? "quiet" : "busy")}, {timing.Gflops:F0} GFLOP/s)"));
        }
    }

    private static JsonObject Line(string id, string size, int threads, Call call, Timing timing, long? memory, double value) => new()
    {
        ["id"] = id,
        ["size"] = size,
        ["dtype"] = "float32",
        ["threads"] = threads,
        ["source"] = "posttrain",
        ["median_s"] = timing.Median,
        ["iqr_s"] = timing.InterquartileRange,
        ["n"] = timing.Kept,
        ["min_s"] = timing.Least,
        ["cal_gflops"] = Math.Round(timing.Gflops, 1),
        ["gate"] = timing.Quiet ? "quiet" : "busy",
        ["peak_extra_bytes"] = memory,
        ["unit"] = call.Unit,
        ["value"] = value,
        ["heap"] = "default",
        ["flops"] = call.Flops,
        ["traffic_bytes"] = call.TrafficBytes,
    };
}
