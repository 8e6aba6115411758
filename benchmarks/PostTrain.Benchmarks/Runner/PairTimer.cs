using System.Diagnostics;
using PostTrain.Operators;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Compares a call with the same call by tensor operators, in alternation, so that both see the same machine.</summary>
internal static class PairTimer
{
    private const int LeastPairs = 9,
        MostPairs = 400;

    private const double SampleSeconds = 0.02;

    /// <param name="call">What is timed.</param>
    /// <param name="patience">Seconds of measuring, after the least number of pairs.</param>
    public static PairRatio Time(Action call, double patience)
    {
        // Code is compiled in stages: a while of both before the first pair.
        double once = double.PositiveInfinity;
        for (int i = 0; i < 12; i++)
        {
            once = Math.Min(once, Seconds(call, 1, reference: false));
            Seconds(call, 1, reference: true);
        }
        int repeats = Math.Max(1, (int)(SampleSeconds / once));
        var (fused, reference) = (new List<double>(), new List<double>());
        var clock = Stopwatch.StartNew();
        while (fused.Count < LeastPairs || (clock.Elapsed.TotalSeconds < patience && fused.Count < MostPairs))
        {
            fused.Add(Seconds(call, repeats, reference: false) / repeats);
            reference.Add(Seconds(call, repeats, reference: true) / repeats);
        }
        double[] ratios = [.. fused.Zip(reference, (own, other) => other / own).Order()];
        return new(
            Quantile(ratios, 0.5),
            Quantile(ratios, 0.25),
            Quantile(ratios, 0.75),
            fused.Min(),
            reference.Min(),
            Quantile([.. fused.Order()], 0.5),
            Quantile([.. reference.Order()], 0.5),
            ratios.Length
        );
    }

    private static double Seconds(Action call, int repeats, bool reference)
    {
        using var period = reference ? Fused.Reference() : null;
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
