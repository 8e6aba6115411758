namespace PostTrain.Training.Reports;

/// <summary>A page that lays several runs over one another: their key numbers, the settings in which they differ, and a chart for each
/// metric with one line a run.</summary>
/// <example><code>
/// RunComparison.Write(["out/lr-1e-4", "out/lr-1e-3"], "out/comparison.html");
/// </code></example>
public static class RunComparison
{
    private const string MetricsFile = "metrics.jsonl",
        SummaryName = "summary.json";

    private static readonly string[] First = ["reward/mean", "loss"];

    // Of one run each; a page of several has their values in a table.
    private static readonly string[] NotCompared = ["tokens_per_second", "learning_rate", "elapsed_seconds"];

    /// <summary>Writes the page.</summary>
    /// <param name="folders">Directories of runs, each with <c>metrics.jsonl</c> and, for the settings, <c>summary.json</c>; at least
    /// two.</param>
    /// <param name="path">Path of the page.</param>
    /// <exception cref="ArgumentException">There are fewer than two folders.</exception>
    /// <exception cref="FileNotFoundException">A folder has no <c>metrics.jsonl</c>.</exception>
    /// <exception cref="InvalidDataException">A file is malformed.</exception>
    public static void Write(IReadOnlyList<string> folders, string path) => Of(folders).Save(path);

    /// <summary>Returns the page.</summary>
    /// <inheritdoc cref="Write"/>
    public static HtmlReport Of(IReadOnlyList<string> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        if (folders.Count < 2)
            throw new ArgumentException($"folders has {folders.Count} entries, expected at least two runs to compare", nameof(folders));
        var names = Names(folders);
        var runs = folders
            .Select((folder, i) => new Run(names[i], Reports(folder), SummaryFile.Settings(Path.Combine(folder, SummaryName))))
            .ToArray();
        var page = new HtmlReport($"{runs.Length} runs compared", string.Join(" · ", names)).Table("Key numbers", Numbers(runs));
        page.Curves("Metrics", [.. Charts(runs)]);
        return Differences(runs) is { Rows.Count: > 0 } differences ? page.Table("Settings that differ", differences) : page;
    }

    private static ReportTable Numbers(Run[] runs)
    {
        string[] columns = [.. runs.SelectMany(run => RunReport.Tiles(run.Reports).Select(tile => tile.Name)).Distinct()];
        return new ReportTable(
            ["run", .. columns],
            [
                .. runs.Select(run =>
                {
                    var tiles = RunReport.Tiles(run.Reports).ToDictionary(tile => tile.Name);
                    return (string[])
                        [
                            run.Name,
                            .. columns.Select(column =>
                                !tiles.TryGetValue(column, out var tile) ? "–"
                                : tile.Note is { } note && note.StartsWith("from ", StringComparison.Ordinal) ? $"{tile.Value} ({note})"
                                : tile.Value
                            ),
                        ];
                }),
            ]
        );
    }

    private static ReportTable Differences(Run[] runs)
    {
        string[] names = [.. runs.SelectMany(run => run.Settings.Keys).Distinct()];
        return new ReportTable(
            ["setting", .. runs.Select(run => run.Name)],
            [
                .. names
                    .Select(name => (Name: name, Values: runs.Select(run => run.Settings.GetValueOrDefault(name, "–")).ToArray()))
                    .Where(row => row.Values.Distinct().Count() > 1)
                    .Select(row =>
                        (string[])
                            [row.Name, .. row.Values.Select(value => row.Name == "data_sha256" && value.Length > 16 ? value[..16] : value)]
                    ),
            ]
        );
    }

    private static IEnumerable<CurveChart> Charts(Run[] runs)
    {
        string[] all = [.. runs.SelectMany(run => run.Reports).SelectMany(report => report.Metrics.Keys).Append("loss").Distinct()];
        return First
            .Concat(RunReport.KnownMetrics)
            .SelectMany(metric => (string[])["eval/" + metric, metric])
            .Concat(all.Order(StringComparer.Ordinal))
            .Distinct()
            .Where(metric => all.Contains(metric) && !NotCompared.Contains(metric) && !metric.StartsWith("time/", StringComparison.Ordinal))
            .Select(metric =>
            {
                bool isHeldOut = metric.StartsWith("eval/", StringComparison.Ordinal);
                var (title, unit) = RunReport.TitleOf(isHeldOut ? metric["eval/".Length..] : metric);
                return new CurveChart(
                    isHeldOut ? $"{title}, held out" : title,
                    unit,
                    [.. runs.Where(run => Has(run, metric)).Select(run => CurveSeries.Of(run.Reports, metric, run.Name))]
                );
            })
            .Where(chart => chart.Series.Any(series => series.Points.Count > 1));
    }

    private static bool Has(Run run, string metric) => metric == "loss" || run.Reports.Any(report => report.Metrics.ContainsKey(metric));

    private static IReadOnlyList<StepReport> Reports(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var path = Path.Combine(folder, MetricsFile);
        return File.Exists(path)
            ? MetricsLog.Read(path)
            : throw new FileNotFoundException($"{folder} has no {MetricsFile}; expected the directory of a run", path);
    }

    // The last part of each path, or as many parts as tell them apart.
    private static string[] Names(IReadOnlyList<string> folders)
    {
        string[][] parts =
        [
            .. folders.Select(folder => Path.GetFullPath(folder).Split(Path.DirectorySeparatorChar).Where(part => part != "").ToArray()),
        ];
        for (int count = 1; ; count++)
        {
            string[] names = [.. parts.Select(part => string.Join('/', part.TakeLast(count)))];
            if (names.Distinct().Count() == names.Length)
                return names;
            if (parts.All(part => part.Length <= count))
                return [.. names.Select((name, i) => $"{name} ({i + 1})")];
        }
    }

    private sealed record Run(string Name, IReadOnlyList<StepReport> Reports, IReadOnlyDictionary<string, string> Settings);
}
