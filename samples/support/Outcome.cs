using System.Globalization;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Training;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Reports;
using Spectre.Console;

namespace PostTrain.Samples.Support;

/// <summary>What a reinforcement-learning run came to: shown as a table, written as a page and as a summary.</summary>
public sealed record Outcome(
    Experiment Experiment,
    GrpoOptions Options,
    IReadOnlyList<Completion> Before,
    IReadOnlyList<Completion> After,
    IReadOnlyList<StepReport> Reports,
    TimeSpan Elapsed)
{
    private const int Examples = 3;

    private Proportion BeforeShare => Share(Before);
    private Proportion AfterShare => Share(After);
    private double TokensPerSecond => Reports.Average(report => report.Metrics["tokens_per_second"]);

    /// <summary>Prints the table and some completions; plain where the output is no terminal.</summary>
    public void Print(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = TrainingDisplay.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = TrainingDisplay.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
        var table = new Table().Border(TrainingDisplay.IsTerminal ? TableBorder.Rounded : TableBorder.Ascii)
            .AddColumns("held out", $"{Experiment.Measure}", "95 % interval", "tokens");
        foreach (var (name, completions, share) in new[] { ("before", Before, BeforeShare), ("after", After, AfterShare) })
            table.AddRow(name, Percent(share.Value), share.Interval().ToString(), completions.Average(c => c.Tokens.Length).ToString("F1", CultureInfo.InvariantCulture));
        console.Write(table);
        foreach (var pair in Pairs())
        {
            writer.WriteLine(pair.Prompt);
            writer.WriteLine($"  before  {pair.Before}");
            writer.WriteLine($"  after   {pair.After}");
        }
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Elapsed.TotalSeconds:F0} s, {TokensPerSecond:F0} tokens/s"));
    }

    /// <summary>Writes <c>report.html</c> and <c>summary.json</c>.</summary>
    public void Save(string directory)
    {
        Report().Save(Path.Combine(directory, "report.html"));
        SummaryFile.Write(Path.Combine(directory, "summary.json"), new Dictionary<string, object>
        {
            ["title"] = Experiment.Title,
            ["accuracy_before"] = BeforeShare.Value,
            ["accuracy_before_interval"] = BeforeShare.Interval(),
            ["accuracy_after"] = AfterShare.Value,
            ["accuracy_after_interval"] = AfterShare.Interval(),
            ["held_out"] = Before.Count,
            ["steps"] = Options.Steps,
            ["seed"] = Options.Seed,
            ["seconds"] = Math.Round(Elapsed.TotalSeconds, 1),
            ["tokens_per_second"] = Math.Round(TokensPerSecond, 1),
            ["engine"] = EngineFacts.Describe(),
        });
    }

    private HtmlReport Report()
    {
        var report = new HtmlReport(Experiment.Title, Experiment.Story)
            .Facts(EngineFacts.Describe(), $"seed {Options.Seed}", $"{Options.Steps} steps of {Options.BatchSize} × {Options.GroupSize} completions")
            .Tiles(
                new SummaryTile($"{Experiment.Measure} before", Percent(BeforeShare.Value), BeforeShare.Interval().ToString()),
                new SummaryTile($"{Experiment.Measure} after", Percent(AfterShare.Value), AfterShare.Interval().ToString()),
                new SummaryTile("time", $"{Elapsed.TotalSeconds.ToString("F0", CultureInfo.InvariantCulture)} s", "model loading and evaluation included"),
                new SummaryTile("speed", $"{TokensPerSecond.ToString("F0", CultureInfo.InvariantCulture)} tokens/s", "sampled and trained on"))
            .Proportions($"Held out: {Experiment.Measure}", new NamedProportion("before", BeforeShare), new NamedProportion("after", AfterShare))
            .Warnings("What the metrics say", TrainingDiagnostics.Of(Reports))
            .Curves("Training", Charts())
            .Shares("Where the time went", TimeSplit.Of(Reports))
            .Completions("The same held-out prompts, before and after", [.. Pairs()]);
        return report.Settings("Settings", new Dictionary<string, string>
        {
            ["learning rate"] = Options.LearningRate.ToString("G", CultureInfo.InvariantCulture) + ", " + Options.Schedule.ToString().ToLowerInvariant(),
            ["objective"] = Options.Objective.Name,
            ["advantage"] = Options.Objective.Advantage!.Name,
            ["aggregation"] = Options.Objective.Aggregation.ToString(),
            ["KL weight β"] = Options.Objective.Beta.ToString("G", CultureInfo.InvariantCulture),
            ["temperature"] = Options.Sampling.Temperature.ToString("G", CultureInfo.InvariantCulture),
            ["most new tokens"] = Options.Sampling.MaxNewTokens.ToString(CultureInfo.InvariantCulture),
        });
    }

    private CurveChart[] Charts()
    {
        var components = Reports[0].Metrics.Keys.Where(name => name.StartsWith("reward/", StringComparison.Ordinal) && name is not ("reward/std" or "reward/zero_groups"));
        return
        [
            new CurveChart("Reward", "", [.. components.Select(name => Curve(name, name == "reward/mean" ? "total" : name["reward/".Length..]))]),
            new CurveChart("Response length", "tokens", Curve("completion/length")),
            new CurveChart("Divergence from the base model", "nats per token", Curve("kl")),
            new CurveChart("Entropy", "nats per token", Curve("entropy")),
            new CurveChart("Groups without a signal", "share", Curve("reward/zero_groups")),
            new CurveChart("Gradient norm", "", Curve("grad_norm")),
        ];
    }

    private CurveSeries Curve(string metric, string? name = null) => CurveSeries.Of(Reports, metric, name);

    private IEnumerable<CompletionPair> Pairs() => Enumerable.Range(0, Math.Min(Examples, Before.Count))
        .Select(i => new CompletionPair(Before[i].Problem.Prompt, Before[i].Text, After[i].Text, Judge(Before[i]), Judge(After[i])));

    private Verdict Judge(Completion completion) => Experiment.Succeeds(completion) ? new Verdict(true, "counts") : new Verdict(false, "does not count");

    private Proportion Share(IReadOnlyList<Completion> completions) => new(completions.Count(Experiment.Succeeds), completions.Count);

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} %");
}
