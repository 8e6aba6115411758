namespace PostTrain.Training.Reports;

/// <summary>A named line of a <see cref="CurveChart"/>.</summary>
/// <param name="Name">The text in the legend.</param>
/// <param name="Points">Points in ascending order of their steps; may be empty.</param>
public sealed record CurveSeries(string Name, IReadOnlyList<CurvePoint> Points)
{
    /// <summary>Creates the series of one metric over a run.</summary>
    /// <param name="reports">The run, for instance from <see cref="MetricsLog.Read"/>.</param>
    /// <param name="metric">A name in <see cref="StepReport.Metrics"/>, or <c>loss</c>. Reports without it give no point.</param>
    /// <param name="name">The text in the legend; null means the metric's name.</param>
    public static CurveSeries Of(IEnumerable<StepReport> reports, string metric, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(reports);
        ArgumentException.ThrowIfNullOrEmpty(metric);
        var points = new List<CurvePoint>();
        foreach (var report in reports)
        {
            if (report.Metrics.TryGetValue(metric, out var value))
                points.Add(new CurvePoint(report.Step, value));
            else if (metric == "loss" && report.Step > 0)
                points.Add(new CurvePoint(report.Step, report.Loss));
        }

        return new CurveSeries(name ?? metric, points);
    }
}
