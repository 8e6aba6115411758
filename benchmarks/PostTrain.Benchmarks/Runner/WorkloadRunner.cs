using System.Globalization;
using System.Text.Json.Nodes;
using PostTrain.Benchmarks.Workloads;
using PostTrain.Runtime;
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
            if (options.Picture is { } picture)
            {
                RatioPicture.Draw(options.Path, picture);
                return 0;
            }
            var chosen = WorkloadRegistry
                .All.SelectMany(workload => workload.Sizes, (workload, size) => (workload, size))
                .Where(pair => options.Selects(pair.workload.Id, pair.size))
                .ToArray();
            if (chosen.Length == 0)
            {
                string ids = string.Join(", ", WorkloadRegistry.All.Select(workload => workload.Id));
                throw new FormatException($"nothing is called {string.Join(", ", options.Patterns)}; ids: {ids}");
            }
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
        // Before the first tensor.
        bool kept = options.KeepHeap && NativeSettings.KeepFreedMemory();
        set_num_threads(options.Threads);
        using var results = new ResultWriter(options.Path);
        using var calibration = new Calibration(options.Threads);
        for (int i = 0; i < 50; i++)
            calibration.Measure();
        var timer = new WorkloadTimer(calibration, options.Patience);
        using var peer = options.Peer is null ? null : PeerProcess.Start(options.Peer, options.Threads, options.KeepHeap);
        for (int i = 0; i < chosen.Length; i++)
        {
            var (workload, size) = chosen[i];
            if (workload.Missing(size) is { } missing)
            {
                Console.Error.WriteLine($"[{i + 1}/{chosen.Length}] {workload.Id} {size}: left out, {missing}");
                continue;
            }
            using var scope = NewDisposeScope();
            using var inputs = new Inputs { ModelType = options.Type };
            ResidentMemory.Restart();
            using var call = workload.Setup(size, inputs);
            if (options.Pairs)
            {
                var ratio = PairTimer.Time(call.Run, options.Patience);
                results.Write(ratio.Line(workload.Id, size, options.Threads, kept, call.Type));
                Console.Error.WriteLine($"[{i + 1}/{chosen.Length}] {workload.Id} {size}: {ratio}");
                continue;
            }
            if (peer is not null)
            {
                var compared = PeerTimer.Time(call.Run, peer, workload.Id, size, options.Patience);
                if (compared is not null)
                    results.Write(compared.Line(workload.Id, size, options, kept, call.Type, peer.Header));
                Console.Error.WriteLine($"[{i + 1}/{chosen.Length}] {workload.Id} {size}: {compared?.ToString() ?? "the peer has none"}");
                continue;
            }
            var timing = timer.Time(call.Run);
            long? peak = ResidentMemory.Peak();
            long? memory = timing.Median >= LeastSecondsForMemory ? ResidentMemory.ExtraOf(call.Run) : null;
            double value = call.Amount is { } amount ? amount / timing.Median : timing.Median * 1e6;
            results.Write(Line(workload.Id, size, options.Threads, kept, call, timing, peak, memory, value));
            Console.Error.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"[{i + 1}/{chosen.Length}] {workload.Id} {size}: {value:G4} {call.Unit} ({timing.Kept} samples, "
                        + $"{(timing.Quiet ? "quiet" : "busy")}, {timing.Gflops:F0} GFLOP/s)"
                )
            );
        }
    }

    private static JsonObject Line(
        string id,
        string size,
        int threads,
        bool kept,
        Call call,
        Timing timing,
        long? peak,
        long? memory,
        double value
    ) =>
        new()
        {
            ["id"] = id,
            ["size"] = size,
            ["dtype"] = call.Type.ToString().ToLowerInvariant(),
            ["threads"] = threads,
            ["source"] = "posttrain",
            ["median_s"] = timing.Median,
            ["iqr_s"] = timing.InterquartileRange,
            ["n"] = timing.Kept,
            ["min_s"] = timing.Least,
            ["cpu_s"] = timing.Processor,
            ["cal_gflops"] = Math.Round(timing.Gflops, 1),
            ["gate"] = timing.Quiet ? "quiet" : "busy",
            ["peak_resident_bytes"] = peak,
            ["peak_extra_bytes"] = memory,
            ["unit"] = call.Unit,
            ["value"] = value,
            ["heap"] = kept ? "kept" : "default",
            ["flops"] = call.Flops,
            ["traffic_bytes"] = call.TrafficBytes,
        };
}
