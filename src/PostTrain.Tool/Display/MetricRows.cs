using System.Globalization;

namespace PostTrain.Tool;

/// <summary>The metrics of a display: order, labels and decimals.</summary>
internal static class MetricRows
{
    private static readonly (string Metric, string Label, string Format)[] Known =
    [
        ("feedback/pairs", "pairs", "F0"),
        ("feedback/confidence", "confidence", "F3"),
        ("loss", "loss", "F4"),
        ("completion/length", "length", "F1"),
        ("completion/finished", "finished", "P0"),
        ("kl", "KL", "F4"),
        ("entropy", "entropy", "F3"),
        ("policy/clip_fraction", "clipped", "P1"),
        ("grad_norm", "gradient", "G3"),
        ("tokens_per_second", "tokens/s", "F0"),
    ];

    /// <summary>Returns the rows of a run: the reward, its components, then the other known metrics.</summary>
    public static IEnumerable<(string Metric, string Label, string Value)> Of(RunHistory history)
    {
        if (history.Last is not { } report)
            yield break;

        if (report.Metrics.TryGetValue("reward/mean", out var reward))
            yield return ("reward/mean", "reward", Text(reward, "F3"));
        foreach (var (name, value) in report.Metrics)
        {
            if (name.StartsWith("reward/", StringComparison.Ordinal) && name is not ("reward/mean" or "reward/std"))
                yield return (name, "  " + name["reward/".Length..], Text(value, "F3"));
        }

        foreach (var (metric, label, format) in Known)
        {
            if (metric == "loss")
            {
                // A step without training has no loss.
                if (!double.IsNaN(report.Loss) || report.Metrics.ContainsKey("grad_norm"))
                    yield return (metric, label, Text(report.Loss, format));
            }
            else if (report.Metrics.TryGetValue(metric, out var value))
                yield return (metric, label, Text(value, format));
        }
    }

    /// <summary>Formats a time as 1:05 or 2:03:04.</summary>
    public static string Clock(TimeSpan time) =>
        time.ToString(time.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
