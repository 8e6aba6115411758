using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Compares a call with a peer's, a sample of each in turn, so that both see the same machine.</summary>
internal static class PeerTimer
{
    private const int PauseMilliseconds = 30;

    private const int LeastPairs = 7,
        MostPairs = 60;

    private const double SampleSeconds = 0.1,
        WarmUpSeconds = 2;

    /// <summary>Result of one comparison.</summary>
    /// <param name="Source">The peer's fastest source.</param>
    /// <param name="Ratios">Seconds of the peer's call over ours, of neighbours, sorted.</param>
    /// <param name="Own">Seconds of our samples, sorted.</param>
    /// <param name="Peer">Seconds of the peer's samples, sorted.</param>
    internal sealed record Comparison(string Source, double[] Ratios, double[] Own, double[] Peer)
    {
        public JsonObject Line(string id, string size, RunnerOptions options, bool kept, ScalarType type, JsonObject header) =>
            new()
            {
                ["id"] = id,
                ["size"] = size,
                ["dtype"] = type.ToString().ToLowerInvariant(),
                ["threads"] = options.Threads,
                ["source"] = "posttrain",
                ["peer"] = Source,
                ["ratio"] = Quantile(Ratios, 0.5),
                ["ratio_quartiles"] = new JsonArray(Quantile(Ratios, 0.25), Quantile(Ratios, 0.75)),
                ["median_s"] = Quantile(Own, 0.5),
                ["min_s"] = Own[0],
                ["peer_median_s"] = Quantile(Peer, 0.5),
                ["peer_min_s"] = Peer[0],
                ["n"] = Ratios.Length,
                ["heap"] = kept ? "kept" : "default",
                ["blas"] = "libtorch's MKL",
                ["peer_blas"] = header["blas"]?.DeepClone(),
                ["peer_torch"] = header["torch"]?.DeepClone(),
                ["peer_transformers"] = header["transformers"]?.DeepClone(),
            };

        public override string ToString() =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{Quantile(Ratios, 0.5):F2} times as fast as {Source} ({Quantile(Ratios, 0.25):F2} to {Quantile(Ratios, 0.75):F2}), "
                    + $"{Own[0] * 1e3:F3} against {Peer[0] * 1e3:F3} ms at best, {Ratios.Length} pairs"
            );
    }

    /// <summary>Compares with each source of the peer, and gives the comparison with the fastest; null where it has none.</summary>
    /// <param name="call">What is timed.</param>
    /// <param name="peer">The peer.</param>
    /// <param name="id">The workload.</param>
    /// <param name="size">Its size.</param>
    /// <param name="patience">Seconds for each source, after the least number of pairs.</param>
    public static Comparison? Time(Action call, PeerProcess peer, string id, string size, double patience)
    {
        double once = double.PositiveInfinity;
        var warmUp = Stopwatch.StartNew();
        for (int i = 0; i < 2 || warmUp.Elapsed.TotalSeconds < WarmUpSeconds; i++)
            once = Math.Min(once, Seconds(call, 1));
        int repeats = Math.Max(1, (int)(SampleSeconds / once));
        Comparison? best = null;
        foreach (var source in peer.Workloads.Where(known => known.Id == id && known.Size == size && known.Source != "compile"))
        {
            if (peer.Use(id, size, source.Source) is null)
                continue;
            var (own, other) = (new List<double>(), new List<double>());
            var clock = Stopwatch.StartNew();
            while (own.Count < LeastPairs || (clock.Elapsed.TotalSeconds < patience && own.Count < MostPairs))
            {
                // Idle threads of OpenMP wait by spinning for some milliseconds, and would take a core from the other side.
                Thread.Sleep(PauseMilliseconds);
                own.Add(Seconds(call, repeats) / repeats);
                Thread.Sleep(PauseMilliseconds);
                other.Add(peer.Sample());
            }
            double[] ratios = [.. own.Zip(other, (mine, theirs) => theirs / mine).Order()];
            var found = new Comparison(source.Source, ratios, [.. own.Order()], [.. other.Order()]);
            if (best is null || Quantile(found.Ratios, 0.5) < Quantile(best.Ratios, 0.5))
                best = found;
        }
        return best;
    }

    private static double Seconds(Action call, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
            call();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Quantile(double[] sorted, double share)
    {
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        return below + 1 < sorted.Length ? sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }
}
