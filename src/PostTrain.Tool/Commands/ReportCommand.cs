using System.CommandLine;
using PostTrain.Training.Reports;

namespace PostTrain.Tool;

/// <summary><c>posttrain report</c>: the page of a run, or several runs laid over one another.</summary>
internal sealed class ReportCommand : ToolCommand
{
    private readonly Argument<string[]> runs = new("runs")
    {
        Description = "Directories of runs, each with metrics.jsonl: one for its page, several to compare them.",
        Arity = ArgumentArity.OneOrMore,
    };
    private readonly Option<string?> output;

    internal ReportCommand(Terminal terminal)
        : base("report", "Writes the page of a run, or one page that compares several runs.", terminal)
    {
        Add(runs);
        output = Unrecorded<string?>("--output", "The page [default: report.html of the run, or comparison.html].", "FILE.html");
    }

    protected override Task RunAsync(ParseResult values, CancellationToken stop)
    {
        var folders = values.GetValue(runs)!;
        if (folders.FirstOrDefault(folder => !File.Exists(Path.Combine(folder, "metrics.jsonl"))) is { } missing)
            throw new UsageException($"{missing} has no metrics.jsonl, expected the directory of a run");
        var path = values.GetValue(output);
        if (folders is [var only])
            path = Terminal.Do("writing the page", () => RunReport.Write(Path.Combine(only, "metrics.jsonl"), path));
        else
        {
            path ??= "comparison.html";
            Terminal.Do($"comparing {folders.Length} runs", () => RunComparison.Write(folders, path));
        }
        Terminal.Line($"report: {path}");
        return Task.CompletedTask;
    }
}
