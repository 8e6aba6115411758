using System.Globalization;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training.Reports;

/// <summary>The page of a run, of any trainer, from what its observers wrote.</summary>
/// <example><code>
/// RunReport.Write("artifacts/metrics.jsonl");                // artifacts/report.html, with the completions of artifacts/completions.jsonl where there are any
/// </code></example>
public static class RunReport
{
    /// <summary>Completions that the page shows at most.</summary>
    private const int MostCompletions = 40;

    private static readonly (string Metric, string Title, string Unit)[] Known =
    [
        ("accuracy", "Accuracy", "share of tokens"),
        ("completion/length", "Completion length", "tokens"),
        ("completion/finished", "Finished completions", "share"),
        ("kl", "Divergence from the reference", "nats per token"),
        ("entropy", "Entropy", "nats per token"),
        ("policy/clip_fraction", "Clipped tokens", "share"),
        ("policy/old_kl", "Divergence from the sampling policy", "nats per token"),
        ("reward/zero_groups", "Groups without a signal", "share"),
        ("grad_norm", "Gradient norm", ""),
        ("learning_rate", "Learning rate", ""),
        ("tokens_per_second", "Throughput", "tokens per second"),
    ];

    /// <summary>Writes the page of a metrics log.</summary>
    /// <param name="metrics">A file that <see cref="MetricsLog"/> wrote.</param>
    /// <param name="path">The page; null is <c>report.html</c> beside the log.</param>
    /// <param name="title">Its title; null is the name of the log's directory.</param>
    /// <returns>The page's path.</returns>
    /// <exception cref="FileNotFoundException">There is no such log.</exception>
    /// <exception cref="InvalidDataException">A line of the log, or of <c>completions.jsonl</c> beside it, is broken.</exception>
    public static string Write(string metrics, string? path = null, string? title = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(metrics);
        var directory = Path.GetDirectoryName(Path.GetFullPath(metrics))!;
        var completions = Path.Combine(directory, "completions.jsonl");
        path ??= Path.Combine(directory, "report.html");
        Of(title ?? Path.GetFileName(directory), MetricsLog.Read(metrics), MetricsLog.ReadWarnings(metrics), File.Exists(completions) ? CompletionLog.Read(completions) : []).Save(path);
        return path;
    }

    /// <summary>The page of a run: numbers to see first, warnings, curves, time, completions. More can be added to it.</summary>
    /// <param name="title">The heading.</param>
    /// <param name="reports">Every step.</param>
    /// <param name="warnings">What diagnostics said; null looks at the reports with the default rules.</param>
    /// <param name="completions">What the policy answered over the run; null for none.</param>
    /// <param name="subtitle">A sentence under the heading.</param>
    public static HtmlReport Of(string title, IReadOnlyList<StepReport> reports, IReadOnlyList<Warning>? warnings = null, IReadOnlyList<LoggedCompletion>? completions = null, string subtitle = "")
    {
        ArgumentNullException.ThrowIfNull(reports);
        var page = new HtmlReport(title, subtitle).Facts(EngineFacts.Describe());
        if (reports.Count > 0) page.Tiles([.. Tiles(reports)]);
        return page.Run(reports, warnings, completions);
    }

    /// <summary>Adds a run's sections to a page: warnings, curves of every metric, the split of time, completions.</summary>
    public static HtmlReport Run(this HtmlReport page, IReadOnlyList<StepReport> reports, IReadOnlyList<Warning>? warnings = null, IReadOnlyList<LoggedCompletion>? completions = null)
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(reports);
        page.Warnings("What the metrics say", warnings ?? TrainingDiagnostics.Of(reports));
        page.Curves("Training", [.. Charts(reports)]);
        if (TimeSplit.Of(reports) is { Count: > 0 } parts) page.Shares("Where the time went", parts);
        return completions is { Count: > 0 } ? page.Table("Completions over the run", Table(completions)) : page;
    }

    private static IEnumerable<SummaryTile> Tiles(IReadOnlyList<StepReport> reports)
    {
        var last = reports[^1];
        yield return Course(reports, reports.Any(report => report.Metrics.ContainsKey("reward/mean")) ? ("reward/mean", "Mean reward") : ("loss", "Loss"));
        foreach (var (metric, name) in new[] { ("eval/reward/mean", "Held-out reward"), ("eval/loss", "Held-out loss") })
            if (reports.Any(report => report.Metrics.ContainsKey(metric))) yield return Course(reports, (metric, name));
        yield return new SummaryTile("Steps", last.Step.ToString(CultureInfo.InvariantCulture));
        yield return new SummaryTile("Time", last.Elapsed.ToString(last.Elapsed.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture));
        var speed = CurveSeries.Of(reports, "tokens_per_second").Points.Where(point => double.IsFinite(point.Value)).ToArray();
        if (speed.Length > 0) yield return new SummaryTile("Speed", Ticks.Short(speed.Average(point => point.Value)), "tokens per second");
    }

    // The end against the beginning, each a mean over a tenth of the run.
    private static SummaryTile Course(IReadOnlyList<StepReport> reports, (string Metric, string Name) shown)
    {
        var points = CurveSeries.Of(reports, shown.Metric).Points;
        int some = Math.Max(1, points.Count / 10);
        return new SummaryTile(shown.Name, Ticks.Short(points.TakeLast(some).Average(point => point.Value)), $"from {Ticks.Short(points.Take(some).Average(point => point.Value))}");
    }

    private static IEnumerable<CurveChart> Charts(IReadOnlyList<StepReport> reports)
    {
        string[] metrics = [.. reports.SelectMany(report => report.Metrics.Keys).Distinct()];
        var drawn = new HashSet<string>(StringComparer.Ordinal) { "loss", "eval/loss", "reward/std", "eval/reward/std", "elapsed_seconds" };
        CurveSeries Line(string metric, string name)
        {
            drawn.Add(metric);
            return CurveSeries.Of(reports, metric, name);
        }

        string[] rewards = [.. metrics.Where(name => name.StartsWith("reward/", StringComparison.Ordinal) && name is not ("reward/std" or "reward/zero_groups"))
            .OrderBy(name => name != "reward/mean")];
        if (rewards.Length > 0)
            yield return new CurveChart("Reward", "", [.. rewards.Take(CurveDrawing.Colours).Select(name => Line(name, name == "reward/mean" ? "total" : name["reward/".Length..]))]);
        yield return new CurveChart("Loss", "", metrics.Contains("eval/loss") ? [Line("loss", "training"), Line("eval/loss", "held out")] : [Line("loss", "loss")]);
        if (metrics.Contains("eval/reward/mean"))
            yield return new CurveChart("Held-out reward", "", Line("eval/reward/mean", "held out"));
        foreach (var (metric, title, unit) in Known)
            if (metrics.Contains(metric)) yield return new CurveChart(title, unit, Line(metric, title));
        // What a trainer has of its own.
        foreach (var metric in metrics.Where(name => !name.StartsWith("time/", StringComparison.Ordinal)).ToArray())
            if (drawn.Add(metric)) yield return new CurveChart(metric, "", CurveSeries.Of(reports, metric));
        if (TimeSplit.Of(reports).Count > 0) yield return TimeSplit.Chart(reports);
    }

    private static ReportTable Table(IReadOnlyList<LoggedCompletion> completions)
    {
        int count = Math.Min(MostCompletions, completions.Count);
        return new ReportTable(["Step", "Prompt", "Completion", "Reward", "Tokens", "Finished"], [.. Enumerable.Range(0, count)
            .Select(i => completions[count == 1 ? 0 : (int)((long)i * (completions.Count - 1) / (count - 1))])
            .Select(completion => (string[])[completion.Step.ToString(CultureInfo.InvariantCulture), completion.Prompt, completion.Completion, Ticks.Short(completion.Reward),
                completion.Tokens.ToString(CultureInfo.InvariantCulture), completion.Finished ? "yes" : "cut off"])]) { TextColumns = [1, 2] };
    }
}
