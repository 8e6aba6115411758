using System.CommandLine;
using PostTrain.Data.Records;
using PostTrain.Text;
using PostTrain.Training.Reports;

namespace PostTrain.Tool;

/// <summary><c>posttrain data</c>: what a training would read of a file.</summary>
internal sealed class DataCommand : ToolCommand
{
    private const int Bars = 12,
        BarWidth = 40;
    private static readonly IReadOnlyDictionary<string, Func<string, InstructionTemplate, MarkedText[][]>> Kinds = new Dictionary<
        string,
        Func<string, InstructionTemplate, MarkedText[][]>
    >
    {
        ["demonstrations"] = (path, template) =>
            [.. RecordReader.Demonstrations(path, template).Select(item => (MarkedText[])[item.Prompt, item.Completion])],
        ["pairs"] = (path, template) =>
            [.. RecordReader.Pairs(path, template).Select(item => (MarkedText[])[item.Prompt, item.Chosen, item.Rejected])],
        ["judged"] = (path, template) =>
            [.. RecordReader.Judged(path, template).Select(item => (MarkedText[])[item.Prompt, item.Completion])],
        ["problems"] = (path, template) => [.. RecordReader.Problems(path, template).Select(item => (MarkedText[])[item.Prompt])],
    };
    private readonly Argument<string> file = new("file") { Description = "The records." };
    private readonly Option<string?> kind;
    private readonly Option<string?> model;
    private readonly Option<string> template;

    internal DataCommand(Terminal terminal)
        : base("data", "Shows what a training reads of a file: records, lengths in tokens, one example as the model sees it.", terminal)
    {
        Add(file);
        kind = Choice("--kind", "What is read.", "demonstrations", Kinds.Keys);
        model = PathOf("--model", "Directory of the model, for its tokenizer and chat template.", "DIR", required: true);
        template = Of("--template", "How instructions become prompts, as in posttrain sft.", "auto", help: "NAME");
    }

    protected override Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string path = values.GetValue(file)!,
            folder = values.GetValue(model)!;
        var tokenizer = Terminal.Do($"loading the tokenizer of {folder}", () => TokenizerFiles.Load(folder));
        var records = Terminal.Do(
            $"reading {path}",
            () => Kinds[values.GetValue(kind)!](path, UserData.Template(values.GetValue(template)!, folder))
        );
        int[] lengths = Terminal.Do(
            $"counting tokens of {records.Length} records",
            () =>
                records
                    .Select(parts =>
                    {
                        stop.ThrowIfCancellationRequested();
                        int prompt = tokenizer.Encode(parts[0]).Length;
                        return parts.Length == 1 ? prompt : parts.Skip(1).Max(part => tokenizer.Encode(parts[0] + part).Length);
                    })
                    .ToArray()
        );
        Terminal.Line($"{records.Length} records, {lengths.Min()} to {lengths.Max()} tokens, {lengths.Average():F0} in the mean");
        ConsoleTable.Print(Histogram(lengths), Terminal.Output);
        Terminal.Line("the first record:");
        foreach (var (part, i) in records[0].Select((part, i) => (part, i)))
            Terminal.Line($"  {(i == 0 ? "given " : "learnt")}  {part.Text.ReplaceLineEndings("\n          ")}");
        return Task.CompletedTask;
    }

    private static ReportTable Histogram(int[] lengths)
    {
        int width = Math.Max(1, (lengths.Max() + Bars) / Bars);
        int[] counts = [.. Enumerable.Range(0, Bars).Select(bar => lengths.Count(length => length / width == bar))];
        return new ReportTable(
            ["tokens", "records", ""],
            [
                .. counts
                    .Select(
                        (count, bar) =>
                            (string[])
                                [
                                    $"{bar * width}–{(bar + 1) * width - 1}",
                                    count.ToString(System.Globalization.CultureInfo.InvariantCulture),
                                    new string('█', (int)Math.Ceiling((double)count * BarWidth / counts.Max())),
                                ]
                    )
                    .Take(1 + counts.ToList().FindLastIndex(count => count > 0)),
            ]
        );
    }
}
