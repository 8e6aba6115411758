using System.CommandLine;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Text;
using PostTrain.Training.Reports;
using Spectre.Console;

namespace PostTrain.Tool;

/// <summary><c>posttrain data</c>: a view of a file before training.</summary>
internal sealed class DataCommand : ToolCommand
{
    private const int BarWidth = 40,
        MostListed = 5;
    private static readonly IReadOnlyDictionary<string, RecordKind> Kinds = new Dictionary<string, RecordKind>
    {
        ["demonstrations"] = RecordKind.Demonstrations,
        ["pairs"] = RecordKind.Pairs,
        ["judged"] = RecordKind.Judged,
        ["problems"] = RecordKind.Problems,
    };
    private readonly Argument<string> file = new("file") { Description = "The records: a file or a directory." };
    private readonly Option<string?> kind;
    private readonly Option<string?> model;
    private readonly Option<string> template;
    private readonly Option<string?> split;
    private readonly Option<int?> maxLength;
    private readonly Option<int> example;

    internal DataCommand(Terminal terminal)
        : base("data", "Shows what a training reads: records, what is skipped, lengths, one example with what is learnt of it.", terminal)
    {
        Add(file);
        kind = Choice("--kind", "Kind of the examples [default: that of the first record].", null, Kinds.Keys);
        model = PathOf("--model", "Directory of the model, for its tokenizer, chat template and context.", "DIR", required: true);
        template = Of("--template", "How instructions become prompts, as in posttrain sft.", "auto", help: "NAME");
        split = Of<string?>("--split", "Split of a directory [default: train].", null, help: "NAME");
        maxLength = Of<int?>("--max-length", "Tokens to which longer records will be cut.", null, OptionRange.AtLeast(2));
        example = Of("--example", "Number of the example that is shown, from 0.", 0, OptionRange.AtLeast(0));
    }

    protected override Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string path = values.GetValue(file)!,
            folder = values.GetValue(model)!;
        var tokenizer = Terminal.Do($"loading the tokenizer of {folder}", () => TokenizerFiles.Load(folder));
        var options = new DataPreviewOptions
        {
            Kind = values.GetValue(kind) is { } name ? Kinds[name] : null,
            Records = new RecordOptions { Split = values.GetValue(split) },
            Truncation = values.GetValue(maxLength) is { } most ? new SequenceTruncation { MaximumTokens = most } : null,
            ContextLength = ContextOf(folder),
            ShownExample = values.GetValue(example),
        };
        var view = Terminal.Do(
            $"reading {path}",
            () => DataPreview.Of(path, UserData.Template(values.GetValue(template)!, folder), tokenizer, options, stop)
        );
        Terminal.Line(
            $"{view.Kind.ToString().ToLowerInvariant()}: {view.Examples} examples of {view.Records} records in {view.Files.Count} file"
                + (view.Files.Count == 1 ? "" : "s")
        );
        ConsoleTable.Print(
            new ReportTable(
                ["field", "records", ""],
                [.. view.Fields.Select(field => (string[])[field.Name, $"{field.Records}", field.IsRead ? "read" : "not read"])]
            ),
            Terminal.Output
        );
        if (view.SkippedCount > 0)
            Terminal.Line($"{view.SkippedCount} records are skipped, such as");
        foreach (var skipped in view.Skipped.Take(MostListed))
            Terminal.Line($"  {skipped.Place}: {skipped.Reason}");
        foreach (var note in view.Notes)
            Terminal.Line($"  {note}");
        Terminal.Line(
            $"tokens: {view.Lengths.Minimum} to {view.Lengths.Maximum}, {view.Lengths.Mean:F0} in the mean, 95 % have at most "
                + $"{view.Lengths.Percentile95}; {view.LearntLengths.Total} of {view.Lengths.Total} are learnt"
        );
        if (view.TooLong > 0)
            Terminal.Line($"{view.TooLong} do not fit the model's context of {options.ContextLength} tokens");
        int highest = view.Lengths.Bars.Select(bar => bar.Count).DefaultIfEmpty(1).Max();
        ConsoleTable.Print(
            new ReportTable(
                ["tokens", "sequences", ""],
                [
                    .. view.Lengths.Bars.Select(bar =>
                        (string[])
                            [
                                $"{bar.From}–{bar.To}",
                                $"{bar.Count}",
                                new string('█', (int)Math.Ceiling((double)bar.Count * BarWidth / highest)),
                            ]
                    ),
                ]
            ),
            Terminal.Output
        );
        foreach (var shown in view.Shown)
            Show(shown);
        return Task.CompletedTask;
    }

    // What is learnt is green in a terminal, and between ⟦ and ⟧ elsewhere.
    private void Show(PreviewExample shown)
    {
        Terminal.Line($"example {shown.Name}, {shown.Tokens.Count} tokens; learnt: {(Terminal.IsLive ? "green" : "between ⟦ and ⟧")}");
        if (Terminal.IsLive)
        {
            var text = new Paragraph();
            foreach (var token in shown.Tokens)
                text.Append(token.Text, new Style(token.IsLearnt ? Color.Green : Color.Grey));
            AnsiConsole.Write(text);
            Terminal.Line();
            return;
        }
        var line = new System.Text.StringBuilder();
        bool isLearnt = false;
        foreach (var token in shown.Tokens)
        {
            if (token.IsLearnt != isLearnt)
                line.Append(token.IsLearnt ? '⟦' : '⟧');
            isLearnt = token.IsLearnt;
            line.Append(token.Text);
        }
        Terminal.Line(line.Append(isLearnt ? "⟧" : "").ToString());
    }

    // The context of the configuration, without loading the weights.
    private static int? ContextOf(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        if (!File.Exists(path))
            return null;
        using var config = System.Text.Json.JsonDocument.Parse(File.ReadAllText(path));
        foreach (var name in (string[])["max_position_embeddings", "n_positions"])
            if (config.RootElement.TryGetProperty(name, out var value) && value.TryGetInt32(out int length))
                return length;
        return null;
    }
}
