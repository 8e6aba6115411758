using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Tool;

/// <content>What a run leaves: the model with its card, the page, the summary.</content>
internal sealed partial class TrainingRun
{
    private const int Examples = 3,
        ExampleTokens = 64;

    /// <summary>Draws the likeliest completions of the first held-out prompts, for the page.</summary>
    internal IReadOnlyList<Completion> Answers(LoadedModel model, IEnumerable<MarkedText> prompts, string when)
    {
        Problem[] problems =
        [
            .. prompts
                .Take(Examples)
                .Where(prompt => prompt.Length > 0 && model.Tokenizer.Encode(prompt).Length < model.Model.ContextLength)
                .Select(prompt => new Problem(prompt)),
        ];
        return problems.Length == 0
            ? []
            : terminal.Do(
                $"drawing answers to {problems.Length} held-out prompts {when} training",
                () => Sampled.Completions(model.Model, model.Tokenizer, problems, model.Sampling(ExampleTokens) with { Temperature = 0 }, 0)
            );
    }

    /// <summary>Saves the trained model: the adapter if there is one, otherwise the whole model; with tokenizer and card.</summary>
    /// <param name="model">The model.</param>
    /// <param name="reports">The reports of the run.</param>
    /// <param name="title">Title of the page.</param>
    /// <param name="before">Completions before training.</param>
    /// <param name="after">Completions of the same prompts after it.</param>
    internal void Finish(
        LoadedModel model,
        IReadOnlyList<StepReport> reports,
        string title,
        IReadOnlyList<Completion> before,
        IReadOnlyList<Completion> after
    )
    {
        var description = Describe(model.Trained);
        var saved = new List<string>();
        if (model.Adapters is { } adapters)
        {
            saved.Add(
                Save(
                    "adapter",
                    directory =>
                    {
                        adapters.Save(directory);
                        TokenizerFiles.Save(model.Tokenizer, directory);
                    },
                    description,
                    reports
                )
            );
            if (values.GetValue(command.Merge))
                adapters.MergeAndDispose();
        }
        if (model.Adapters is null || values.GetValue(command.Merge))
            saved.Add(Save("model", directory => Pretrained.Save(model.Model, model.Tokenizer, directory), description, reports));
        Finish(description, reports, title, [.. before.Zip(after, Pair)]);
        string merged = saved[^1];
        terminal.Line($"saved: {string.Join(", ", saved)}");
        terminal.Line(
            merged.EndsWith("model", StringComparison.Ordinal)
                ? $"try it: posttrain generate --model {Short(merged)}"
                : $"try it: posttrain generate --model {ModelFolder} --adapter {Short(merged)}"
        );
    }

    /// <summary>Writes page and summary and prints the numbers, for a model that the caller has saved.</summary>
    internal void Finish(RunDescription description, IReadOnlyList<StepReport> reports, string title, IReadOnlyList<CompletionPair> pairs)
    {
        var results = Results(reports);
        var table = new ReportTable(
            ["held out", "before", "after"],
            [.. results.Select(row => (string[])[row.Name, Number(row.Before), Number(row.After)])]
        );
        terminal.Do(
            "writing the report",
            () =>
            {
                var page = new HtmlReport(title, $"{Path.GetFileName(description.Model)} · {Path.GetFileName(description.Data)}")
                    .Facts($"posttrain {command.Name} {RunFile.Version}", $"seed {Seed}", $"{Steps} steps")
                    .Tiles(RunReport.Tiles(reports));
                if (results.Length > 0)
                    page.Table("Held-out records", table);
                if (pairs.Count > 0)
                    page.Completions("The same held-out prompts before and after training", pairs);
                page.Run(reports, completions: logs.Completions()).Description(description).Save(folder.PathOf("report.html"));
                SummaryFile.Write(folder.PathOf("summary.json"), description, Summary(reports, results));
            }
        );
        if (results.Length > 0)
            ConsoleTable.Print(table, terminal.Output);
        terminal.Line($"report: {folder.PathOf("report.html")}");
    }

    /// <summary>Saves a model with its card beside its place, and renames the directory when it is whole.</summary>
    internal string Save(string name, Action<string> write, RunDescription description, IReadOnlyList<StepReport> reports) =>
        terminal.Do(
            $"saving the {name}",
            () =>
                folder.Publish(
                    name,
                    directory =>
                    {
                        write(directory);
                        (
                            ModelCard.Of($"{Path.GetFileName(description.Model!)}-{command.Name}", description) with
                            {
                                IsAdapter = name == "adapter",
                                Task = command is RewardCommand ? "text-classification" : "text-generation",
                                License = values.GetValue(command.License) ?? ModelCard.LicenseOf(ModelFolder),
                                Results =
                                [
                                    .. Results(reports)
                                        .SelectMany(row =>
                                            (KeyValuePair<string, double>[])
                                                [new($"{row.Name}, before", row.Before), new($"{row.Name}, after", row.After)]
                                        )
                                        .Where(row => double.IsFinite(row.Value)),
                                ],
                            }
                        ).Save(directory);
                    }
                )
        );

    internal RunDescription Describe(long trained) =>
        new(command.Name, [.. Settings().Select(setting => KeyValuePair.Create(setting.Key, string.Join(" ", setting.Value)))])
        {
            Model = Path.GetFullPath(ModelFolder).TrimEnd(Path.DirectorySeparatorChar),
            Data = Path.GetFullPath(DataPath).TrimEnd(Path.DirectorySeparatorChar),
            DataDigest = terminal.Do("computing the digest of the data", () => RunDescription.DigestOf(DataPath, Stop)),
            TrainedParameters = trained,
            Seed = Seed,
        };

    // Held-out measures before the first step and after the last.
    private static (string Name, double Before, double After)[] Results(IReadOnlyList<StepReport> reports) =>
        [
            .. reports
                .SelectMany(report => report.Metrics.Keys)
                .Where(name => name.StartsWith("eval/", StringComparison.Ordinal) && name != "eval/reward/std")
                .Distinct()
                .Select(name =>
                {
                    var points = CurveSeries.Of(reports, name).Points;
                    return (name["eval/".Length..], points[0].Step == 0 ? points[0].Value : double.NaN, points[^1].Value);
                }),
        ];

    private Dictionary<string, object> Summary(IReadOnlyList<StepReport> reports, (string Name, double Before, double After)[] results)
    {
        var summary = new Dictionary<string, object>();
        foreach (var (name, before, after) in results)
            (summary[$"{name}_before"], summary[$"{name}_after"]) = (before, after);
        summary["steps"] = Steps;
        summary["loss_last"] = reports.Count > 0 ? reports[^1].Loss : double.NaN;
        summary["seconds"] = Math.Round(watch.Elapsed.TotalSeconds, 1);
        return summary;
    }

    private static CompletionPair Pair(Completion before, Completion after) => new(before.Problem.Prompt, before.Text, after.Text);

    private static string Number(double value) => double.IsNaN(value) ? "–" : value.ToString("G5", CultureInfo.InvariantCulture);

    private static string Short(string path) => Path.GetRelativePath(Environment.CurrentDirectory, path);
}
