using System.Globalization;

namespace PostTrain.Training.Reports;

/// <summary>The time of a run by part, from its metrics <c>time/PART</c>.</summary>
internal static class TimeSplit
{
    private const string Prefix = "time/";

    // In the order of a step; unknown parts follow.
    private static readonly string[] Order = ["rollout", "reward", "reference", "critic", "batch", "update", "evaluation"];

    /// <summary>Returns the seconds of each part, summed over the run, in the order of a step; empty if the reports have none.</summary>
    public static IReadOnlyList<NamedShare> Of(IEnumerable<StepReport> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        var seconds = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var report in reports)
        foreach (var (name, value) in report.Metrics)
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && double.IsFinite(value))
                seconds[name[Prefix.Length..]] = seconds.GetValueOrDefault(name[Prefix.Length..]) + value;
        return
        [
            .. seconds
                .OrderBy(part => Array.IndexOf(Order, part.Key) is >= 0 and var place ? place : Order.Length)
                .ThenBy(part => part.Key, StringComparer.Ordinal)
                .Select(part => new NamedShare(part.Key, part.Value, Seconds(part.Value))),
        ];
    }

    /// <summary>Creates a chart of the seconds of each part per step.</summary>
    public static CurveChart Chart(IReadOnlyList<StepReport> reports) =>
        new("Time per step", "seconds", [.. Of(reports).Select(part => CurveSeries.Of(reports, Prefix + part.Name, part.Name))]);

    private static string Seconds(double value) =>
        value switch
        {
            >= 7200 => (value / 3600).ToString("F1", CultureInfo.InvariantCulture) + " h",
            >= 120 => (value / 60).ToString("F1", CultureInfo.InvariantCulture) + " min",
            >= 1 => value.ToString("F1", CultureInfo.InvariantCulture) + " s",
            _ => (1000 * value).ToString("0.#", CultureInfo.InvariantCulture) + " ms",
        };
}
