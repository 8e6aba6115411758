using System.Diagnostics;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Takes samples of a call between calibrations until enough of them are quiet, or patience ends.</summary>
/// <param name="calibration">The machine's speed.</param>
/// <param name="patience">The longest time for one workload, in seconds, after the least number of samples.</param>
internal sealed class WorkloadTimer(Calibration calibration, double patience)
{
    private const double SampleSeconds = 0.02;
    private const double LongCall = 0.5;
    private const int LeastQuiet = 5;

    private readonly record struct Sample(double Seconds, double Processor, double Gflops);

    public Timing Time(Action call)
    {
        double once = Seconds(call, 1);
        if (once <= 1)
            once = Math.Min(once, Seconds(call, 1));
        int repeats = Math.Max(1, (int)Math.Ceiling(SampleSeconds / once));
        // The first calls are slower than those that follow: one sample to settle, and the count of calls again from it.
        if (repeats > 1)
            repeats = Math.Max(1, (int)Math.Ceiling(SampleSeconds * repeats / Seconds(call, repeats)));
        int wanted = once < LongCall ? 9 : LeastQuiet;

        var samples = new List<Sample>();
        var clock = Stopwatch.StartNew();
        double before = calibration.Measure();
        do
        {
            var used = Environment.CpuUsage.TotalTime;
            double seconds = Seconds(call, repeats) / repeats;
            double processor = (Environment.CpuUsage.TotalTime - used).TotalSeconds / repeats;
            double after = calibration.Measure();
            samples.Add(new(seconds, processor, Math.Min(before, after)));
            before = after;
        } while (Quiet(samples).Count < wanted && (clock.Elapsed.TotalSeconds < patience || samples.Count < 4));
        return Result(samples);
    }

    private Timing Result(List<Sample> samples)
    {
        // Again, now that the best speed is known: an early sample may have been quiet only by the standard of then.
        var kept = Quiet(samples);
        bool quiet = kept.Count >= LeastQuiet;
        if (!quiet)
            kept = [.. samples.OrderByDescending(sample => sample.Gflops).Take((samples.Count + 3) / 4)];
        double[] seconds = [.. kept.Select(sample => sample.Seconds).Order()];
        return new(
            Quantile(seconds, 0.5),
            Quantile(seconds, 0.75) - Quantile(seconds, 0.25),
            seconds.Length,
            samples.Min(sample => sample.Seconds),
            Quantile([.. kept.Select(sample => sample.Processor).Order()], 0.5),
            Quantile([.. kept.Select(sample => sample.Gflops).Order()], 0.5),
            quiet
        );
    }

    private List<Sample> Quiet(List<Sample> samples) => [.. samples.Where(sample => calibration.IsQuiet(sample.Gflops))];

    private static double Quantile(double[] sorted, double share)
    {
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        return below + 1 < sorted.Length ? sorted[below] + (position - below) * (sorted[below + 1] - sorted[below]) : sorted[below];
    }

    private static double Seconds(Action call, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
            call();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
