using System.Globalization;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Runtime;
using PostTrain.Training;
using PostTrain.Training.Reports;
using Spectre.Console;

namespace PostTrain.Samples.Support;

/// <summary>The outcome of a reinforcement-learning run, as a table, a report and a summary.</summary>
public sealed record Outcome(
    Experiment Experiment,
    GrpoOptions Options,
    IReadOnlyList<Completion> Before,
    IReadOnlyList<Completion> After,
    IReadOnlyList<StepReport> Reports
)
{
    private const int Examples = 3;

    private Proportion BeforeShare => Share(Before);
    private Proportion AfterShare => Share(After);
    private double TokensPerSecond => Reports.Average(report => report.Metrics["tokens_per_second"]);

    /// <summary>Prints the table and some completions, as plain text if the output is redirected.</summary>
    public void Print(TextWriter writer)
    {
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(writer),
                Ansi = TrainingDisplay.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
                ColorSystem = TrainingDisplay.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            }
        );
        var table = new Table()
            .Border(TrainingDisplay.IsTerminal ? TableBorder.Rounded : TableBorder.Ascii)
            .AddColumns("held out", $"{Experiment.Measure}", "95 % interval", "tokens");
        foreach (var (name, completions, share) in new[] { ("before", Before, BeforeShare), ("after", After, AfterShare) })
            table.AddRow(
                name,
                Format.Percent(share.Value),
                share.Interval().ToString(),
                completions.Average(c => c.Tokens.Length).ToString("F1", CultureInfo.InvariantCulture)
            );
        console.Write(table);
        foreach (var pair in Pairs())
        {
            writer.WriteLine(pair.Prompt);
            writer.WriteLine($"  before  {pair.Before}");
            writer.WriteLine($"  after   {pair.After}");
        }
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TokensPerSecond:F0} tokens/s"));
    }

    /// <summary>Returns the values for <c>summary.json</c>.</summary>
    public IReadOnlyDictionary<string, object> Summary() =>
        new Dictionary<string, object>
        {
            ["title"] = Experiment.Title,
            ["accuracy_before"] = BeforeShare.Value,
            ["accuracy_before_interval"] = BeforeShare.Interval(),
            ["accuracy_after"] = AfterShare.Value,
            ["accuracy_after_interval"] = AfterShare.Interval(),
            ["held_out"] = Before.Count,
            ["tokens_per_second"] = Math.Round(TokensPerSecond, 1),
        };

    /// <summary>Returns the report of the run.</summary>
    public HtmlReport Page(SampleRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var report = new HtmlReport(Experiment.Title, Experiment.Story)
            .Facts(
                EngineFacts.Describe(),
                $"seed {Options.Seed}",
                $"{Options.Steps} steps of {Options.BatchSize} × {Options.GroupSize} completions"
            )
            .Tiles([
                new SummaryTile($"{Title} before", Format.Percent(BeforeShare.Value), BeforeShare.Interval().ToString()),
                new SummaryTile($"{Title} after", Format.Percent(AfterShare.Value), AfterShare.Interval().ToString()),
                .. RunReport.Tiles(Reports),
            ])
            .Proportions(
                $"Held out: {Experiment.Measure}",
                new NamedProportion("before", BeforeShare),
                new NamedProportion("after", AfterShare)
            )
            .Completions("Held-out prompts before and after training", [.. Pairs()])
            .Run(Reports, completions: run.LoggedCompletions);
        return report.Settings(
            "Settings",
            new Dictionary<string, string>
            {
                ["learning rate"] =
                    Options.LearningRate.ToString("G", CultureInfo.InvariantCulture)
                    + ", "
                    + Options.Schedule.ToString().ToLowerInvariant(),
                ["objective"] = Options.Objective.Name,
                ["advantage"] = Options.Objective.Advantage!.Name,
                ["aggregation"] = Options.Objective.Aggregation.ToString(),
                ["KL weight β"] = Options.Objective.Beta.ToString("G", CultureInfo.InvariantCulture),
                ["temperature"] = Options.Sampling.Temperature.ToString("G", CultureInfo.InvariantCulture),
                ["maximum new tokens"] = Options.Sampling.MaxNewTokens.ToString(CultureInfo.InvariantCulture),
            }
        );
    }

    private IEnumerable<CompletionPair> Pairs() =>
        Enumerable
            .Range(0, Math.Min(Examples, Before.Count))
            .Select(i => new CompletionPair(Before[i].Problem.Prompt, Before[i].Text, After[i].Text, Judge(Before[i]), Judge(After[i])));

    private Verdict Judge(Completion completion) =>
        Experiment.Succeeds(completion) ? new Verdict(true, "counts") : new Verdict(false, "does not count");

    private string Title => char.ToUpperInvariant(Experiment.Measure[0]) + Experiment.Measure[1..];

    private Proportion Share(IReadOnlyList<Completion> completions) => new(completions.Count(Experiment.Succeeds), completions.Count);
}
