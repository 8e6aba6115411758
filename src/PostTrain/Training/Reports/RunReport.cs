using System.Globalization;
using PostTrain.Runtime;
using PostTrain.Training.Diagnostics;

namespace PostTrain.Training.Reports;

/// <summary>The HTML report of a run of any trainer, made from the files that its observers wrote.</summary>
/// <example><code>
/// RunReport.Write("artifacts/metrics.jsonl");      // writes artifacts/report.html; includes artifacts/completions.jsonl if present
/// </code></example>
public static class RunReport
{
    /// <summary>Maximum number of completions on the page.</summary>
    private const int MostCompletions = 40;

    private static readonly (string Metric, string Title, string Unit)[] Known =
    [
        ("accuracy", "Accuracy", "share"),
        ("reward/accuracy", "Chosen above rejected", "share of pairs"),
        ("reward/margin", "Margin of rewards", ""),
        ("completion/length", "Completion length", "tokens"),
        ("completion/finished", "Finished completions", "share"),
        ("kl", "KL divergence from the reference", "nats per token"),
        ("entropy", "Entropy", "nats per token"),
        ("policy/clip_fraction", "Clipped tokens", "share"),
        ("policy/old_kl", "KL divergence from the sampling policy", "nats per token"),
        ("reward/zero_groups", "Groups without a signal", "share"),
        ("kl/sequence", "KL divergence per completion", "nats"),
        ("policy/loss", "Policy loss", ""),
        ("value/loss", "Critic loss", ""),
        ("value/mean", "Mean value predicted by the critic", ""),
        ("value/return", "Return", ""),
        ("value/explained_variance", "Variance explained by the critic", "share"),
        ("grad_norm", "Gradient norm", ""),
        ("learning_rate", "Learning rate", ""),
        ("tokens_per_second", "Throughput", "tokens per second"),
    ];

    /// <summary>Names of the metrics with a title, in the order of their charts.</summary>
    internal static IEnumerable<string> KnownMetrics => Known.Select(known => known.Metric);

    /// <summary>Returns title and unit of a metric's chart; a metric without a title is called by its name.</summary>
    internal static (string Title, string Unit) TitleOf(string metric) =>
        metric switch
        {
            "loss" => ("Loss", ""),
            "reward/mean" => ("Mean reward", ""),
            _ => Known.Where(known => known.Metric == metric).Select(known => (known.Title, known.Unit)).FirstOrDefault((metric, "")),
        };

    /// <summary>Writes the report of a metrics log, with the settings of <c>summary.json</c> beside it.</summary>
    /// <param name="metrics">A file that <see cref="MetricsLog"/> wrote.</param>
    /// <param name="path">Path of the report; null means <c>report.html</c> beside the log.</param>
    /// <param name="title">Title of the report; null means the name of the log's directory.</param>
    /// <returns>The path of the report.</returns>
    /// <exception cref="FileNotFoundException">The log does not exist.</exception>
    /// <exception cref="InvalidDataException">A line of the log, or of <c>completions.jsonl</c> beside it, is malformed.</exception>
    public static string Write(string metrics, string? path = null, string? title = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(metrics);
        var directory = Path.GetDirectoryName(Path.GetFullPath(metrics))!;
        var completions = Path.Combine(directory, "completions.jsonl");
        path ??= Path.Combine(directory, "report.html");
        var page = Of(
            title ?? Path.GetFileName(directory),
            MetricsLog.Read(metrics),
            MetricsLog.ReadWarnings(metrics),
            File.Exists(completions) ? CompletionLog.Read(completions) : []
        );
        if (SummaryFile.Settings(Path.Combine(directory, "summary.json")) is { Count: > 0 } settings)
            page.Settings("Settings", settings);
        page.Save(path);
        return path;
    }

    /// <summary>Creates the report of a run: key numbers, warnings, curves, time and completions. Further sections can be added.</summary>
    /// <param name="title">The heading.</param>
    /// <param name="reports">The reports of all steps.</param>
    /// <param name="warnings">Diagnostic warnings; null applies the default rules to the reports.</param>
    /// <param name="completions">Completions of the policy over the run; null for none.</param>
    /// <param name="subtitle">A sentence below the heading.</param>
    /// <remarks>Warnings of a run that reached its goal (a higher reward, or a lower loss, held out where that is measured) are folded at
    /// the end of the page.</remarks>
    public static HtmlReport Of(
        string title,
        IReadOnlyList<StepReport> reports,
        IReadOnlyList<Warning>? warnings = null,
        IReadOnlyList<LoggedCompletion>? completions = null,
        string subtitle = ""
    )
    {
        ArgumentNullException.ThrowIfNull(reports);
        var page = new HtmlReport(title, subtitle).Facts(EngineFacts.Describe());
        if (reports.Count > 0)
            page.Tiles(Tiles(reports));
        return page.Run(reports, warnings, completions);
    }

    /// <summary>Adds the sections of a run to a page: warnings, curves of all metrics, time per part, completions.</summary>
    /// <param name="page">The page.</param>
    /// <param name="reports">The reports of all steps.</param>
    /// <param name="warnings">Diagnostic warnings; null applies the default rules to the reports.</param>
    /// <param name="completions">Completions of the policy over the run; null for none.</param>
    /// <param name="name">The run's name in the headings, for a page with several runs.</param>
    public static HtmlReport Run(
        this HtmlReport page,
        IReadOnlyList<StepReport> reports,
        IReadOnlyList<Warning>? warnings = null,
        IReadOnlyList<LoggedCompletion>? completions = null,
        string? name = null
    )
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(reports);
        string Heading(string text) => name is null ? text : $"{name}: {char.ToLowerInvariant(text[0])}{text[1..]}";
        warnings ??= TrainingDiagnostics.Of(reports);
        bool reached = ReachedGoal(reports);
        if (!reached)
            page.Warnings(Heading("Diagnostics"), warnings);
        // A constant metric is shown as a number instead of a curve.
        var charts = Charts(reports).ToLookup(IsConstant);
        page.Curves(name ?? "Training", [.. charts[false]]);
        if (charts[true].Any())
            page.Settings(
                Heading("Constant metrics"),
                charts[true]
                    .Select(chart =>
                        KeyValuePair.Create(chart.Title, $"{Ticks.Short(chart.Series[0].Points[0].Value)} {chart.Unit}".TrimEnd())
                    )
            );
        if (TimeSplit.Of(reports) is { Count: > 0 } parts)
            page.Shares(Heading("Time by part"), parts);
        if (completions is { Count: > 0 })
            page.Table(Heading("Completions over the run"), Table(completions));
        return reached ? page.Warnings(Heading("Diagnostics"), warnings, folded: true) : page;
    }

    /// <summary>Adds what a run was: method, model, data, options, versions, seed.</summary>
    /// <param name="page">The page.</param>
    /// <param name="run">The run.</param>
    public static HtmlReport Description(this HtmlReport page, RunDescription run)
    {
        ArgumentNullException.ThrowIfNull(page);
        ArgumentNullException.ThrowIfNull(run);
        return page.Settings("Settings", run.Rows());
    }

    /// <summary>Returns true if a run did what it was for: its reward rose, or its loss fell, from its first to its last tenth; measured on
    /// held-out data where there are any.</summary>
    /// <param name="reports">The reports of all steps.</param>
    public static bool ReachedGoal(IReadOnlyList<StepReport> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        bool rewarded = IsRewarded(reports);
        string metric = rewarded ? "reward/mean" : "loss";
        var points = Finite(reports, Has(reports, "eval/" + metric) ? "eval/" + metric : metric);
        if (points.Length < 2)
            return false;
        int some = Math.Max(1, points.Length / 10);
        double change = points.TakeLast(some).Average(point => point.Value) - points.Take(some).Average(point => point.Value);
        return rewarded ? change > 0 : change < 0;
    }

    /// <summary>Returns the key numbers of a run: reward or loss at the start and the end, the same on held-out data, steps, time,
    /// speed.</summary>
    /// <param name="reports">The reports of all steps; none give no tiles.</param>
    public static IReadOnlyList<SummaryTile> Tiles(IReadOnlyList<StepReport> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        if (reports.Count == 0)
            return [];
        var last = reports[^1];
        bool rewarded = IsRewarded(reports);
        string metric = rewarded ? "reward/mean" : "loss",
            heldOut = "eval/" + metric;
        // One number for the start: the held-out measure's where there is one, as a batch's differs from it.
        bool isHeldOut = Finite(reports, heldOut).Length > 0;
        var tiles = new List<SummaryTile>();
        if (isHeldOut)
            tiles.Add(Course(reports, heldOut, rewarded ? "Held-out reward" : "Held-out loss", start: true));
        tiles.Add(Course(reports, metric, rewarded ? "Mean reward" : "Training loss", start: !isHeldOut));
        tiles.Add(new SummaryTile("Steps", last.Step.ToString(CultureInfo.InvariantCulture)));
        tiles.Add(
            new SummaryTile(
                "Time",
                last.Elapsed.ToString(last.Elapsed.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture)
            )
        );
        var speed = CurveSeries.Of(reports, "tokens_per_second").Points.Where(point => double.IsFinite(point.Value)).ToArray();
        if (speed.Length > 0)
            tiles.Add(new SummaryTile("Speed", Ticks.Short(speed.Average(point => point.Value)), "tokens per second"));
        return tiles;
    }

    private static bool IsConstant(CurveChart chart) =>
        chart.Title != "Loss" && chart.Series is [{ Points: [var first, _, ..] points }] && points.All(point => point.Value == first.Value);

    private static bool Has(IReadOnlyList<StepReport> reports, string metric) => reports.Any(report => report.Metrics.ContainsKey(metric));

    // A reward model is trained on its loss; its mean reward is its own output.
    private static bool IsRewarded(IReadOnlyList<StepReport> reports) => Has(reports, "reward/mean") && !Has(reports, "reward/margin");

    private static CurvePoint[] Finite(IReadOnlyList<StepReport> reports, string metric) =>
        [.. CurveSeries.Of(reports, metric).Points.Where(point => double.IsFinite(point.Value))];

    // A held-out measure is taken of all held-out data: its first and last values. One of a batch is a mean over a tenth of the run.
    private static SummaryTile Course(IReadOnlyList<StepReport> reports, string metric, string name, bool start)
    {
        var points = Finite(reports, metric);
        if (points.Length == 0)
            return new SummaryTile(name, "–");
        int some = metric.StartsWith("eval/", StringComparison.Ordinal) ? 1 : Math.Max(1, points.Length / 10);
        return new SummaryTile(
            name,
            Ticks.Short(points.TakeLast(some).Average(point => point.Value)),
            start ? $"from {Ticks.Short(points.Take(some).Average(point => point.Value))}" : null
        );
    }

    private static IEnumerable<CurveChart> Charts(IReadOnlyList<StepReport> reports)
    {
        string[] metrics = [.. reports.SelectMany(report => report.Metrics.Keys).Distinct()];
        var drawn = new HashSet<string>(StringComparer.Ordinal) { "reward/std", "eval/reward/std", "elapsed_seconds" };
        foreach (var (prefix, title) in new[] { ("reward/", "Reward"), ("eval/reward/", "Held-out reward") })
            if (Rewards(reports, metrics, prefix, drawn) is { Length: > 0 } rewards)
                yield return new CurveChart(title, "", rewards);
        yield return Pair("loss", "Loss", "");
        foreach (var (prefix, title) in new[] { ("logp/", "Log-probability of a completion"), ("eval/logp/", "Log-probability, held out") })
            if (
                metrics
                    .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                    .Select(name => Line(name, name[prefix.Length..]))
                    .ToArray() is
                { Length: > 0 } sums
            )
                yield return new CurveChart(title, "nats", sums);
        foreach (var (metric, title, unit) in Known)
            if (metrics.Contains(metric) || metrics.Contains("eval/" + metric))
                yield return Pair(metric, title, unit);
        // Metrics that only some trainers report.
        foreach (var metric in metrics.Where(name => !name.StartsWith("time/", StringComparison.Ordinal)).ToArray())
            if (!drawn.Contains(metric))
                yield return Pair(metric.StartsWith("eval/", StringComparison.Ordinal) ? metric["eval/".Length..] : metric, metric, "");
        if (TimeSplit.Of(reports).Count > 0)
            yield return TimeSplit.Chart(reports);

        CurveSeries Line(string metric, string name)
        {
            drawn.Add(metric);
            return CurveSeries.Of(reports, metric, name);
        }

        // A metric, with its held-out values if they exist.
        CurveChart Pair(string metric, string title, string unit)
        {
            string heldOut = "eval/" + metric;
            CurveSeries[] lines =
            [
                .. metric == "loss" || metrics.Contains(metric)
                    ? [Line(metric, metrics.Contains(heldOut) ? "training" : title)]
                    : Array.Empty<CurveSeries>(),
                .. metrics.Contains(heldOut) ? [Line(heldOut, "held out")] : Array.Empty<CurveSeries>(),
            ];
            return new CurveChart(title, unit, lines);
        }
    }

    // The mean reward and its components on one chart. A component that equals the reward is left out, as are shares and margins, which
    // have a different scale.
    private static CurveSeries[] Rewards(IReadOnlyList<StepReport> reports, string[] metrics, string prefix, HashSet<string> drawn)
    {
        string[] names =
        [
            .. metrics
                .Where(name =>
                    name.StartsWith(prefix, StringComparison.Ordinal)
                    && name[prefix.Length..] is not ("std" or "zero_groups" or "accuracy" or "margin")
                )
                .OrderBy(name => name != prefix + "mean"),
        ];
        var mean = CurveSeries.Of(reports, prefix + "mean").Points;
        var lines = new List<CurveSeries>();
        foreach (var name in names)
        {
            var line = CurveSeries.Of(reports, name, name[prefix.Length..]);
            bool same = lines.Count > 0 && line.Points.SequenceEqual(mean);
            if (lines.Count >= CurveDrawing.Colours && !same)
                continue;
            drawn.Add(name);
            if (!same)
                lines.Add(line);
        }
        return [.. lines];
    }

    private static ReportTable Table(IReadOnlyList<LoggedCompletion> completions)
    {
        int count = Math.Min(MostCompletions, completions.Count);
        return new ReportTable(
            ["Step", "Prompt", "Completion", "Reward", "Tokens", "Finished"],
            [
                .. Enumerable
                    .Range(0, count)
                    .Select(i => completions[count == 1 ? 0 : (int)((long)i * (completions.Count - 1) / (count - 1))])
                    .Select(completion =>
                        (string[])
                            [
                                completion.Step.ToString(CultureInfo.InvariantCulture),
                                completion.Prompt,
                                completion.Completion,
                                Ticks.Short(completion.Reward),
                                completion.Tokens.ToString(CultureInfo.InvariantCulture),
                                completion.Finished ? "yes" : "cut off",
                            ]
                    ),
            ]
        )
        {
            TextColumns = [1, 2],
        };
    }
}
