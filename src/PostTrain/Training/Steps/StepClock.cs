using System.Diagnostics;

namespace PostTrain.Training;

/// <summary>The time of a step by part: metrics <c>time/PART</c> in seconds.</summary>
internal sealed class StepClock
{
    private readonly Dictionary<string, double> seconds = [];
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private double taken;

    /// <summary>Adds the time since the last call, or since the start, to a part.</summary>
    internal void Book(string part)
    {
        double now = watch.Elapsed.TotalSeconds;
        seconds[part] = seconds.GetValueOrDefault(part) + now - taken;
        taken = now;
    }

    /// <summary>Seconds since the start.</summary>
    internal double Total => watch.Elapsed.TotalSeconds;

    internal void AddTo(Dictionary<string, double> metrics)
    {
        foreach (var (part, time) in seconds)
            metrics[$"time/{part}"] = time;
    }
}
