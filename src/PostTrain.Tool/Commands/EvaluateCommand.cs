using System.CommandLine;
using System.Globalization;
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tool;

/// <summary><c>posttrain evaluate</c>: loss, perplexity and accuracy of a model on a file.</summary>
internal sealed class EvaluateCommand : ToolCommand
{
    private readonly Option<string?> model;
    private readonly Option<string?> adapter;
    private readonly Option<string?> data;
    private readonly Option<string> template;
    private readonly Option<bool> answers;
    private readonly Option<int> tokens;
    private readonly Option<int> batchSize;
    private readonly Option<int?> limit;
    private readonly Option<string?> type;
    private readonly Option<string?> output;

    internal EvaluateCommand(Terminal terminal)
        : base("evaluate", "Measures loss, perplexity and accuracy on records; with --answers also the share of right answers.", terminal)
    {
        model = PathOf("--model", "Directory of the model.", "DIR", required: true);
        adapter = PathOf("--adapter", "Directory of an adapter on it.", "DIR");
        data = PathOf("--data", "Records: demonstrations, or problems with --answers.", "FILE", required: true);
        template = Of("--template", "How instructions become prompts, as in posttrain sft.", "auto", help: "NAME");
        answers = Of("--answers", "Draw the likeliest answer of each record and compare it with the record's.", false);
        tokens = Of("--tokens", "Most tokens of an answer.", 256, OptionRange.AtLeast(1));
        batchSize = Of("--batch-size", "Records at once.", 8, OptionRange.AtLeast(1));
        limit = Of<int?>("--limit", "Only the first records [default: all].", null, OptionRange.AtLeast(1));
        type = Choice("--type", "Type of the weights [default: the stored type].", null, ["float32", "bfloat16"]);
        output = Unrecorded<string?>("--output", "Write the numbers as JSON to this file.", "FILE.json");
    }

    protected override async Task RunAsync(ParseResult values, CancellationToken stop)
    {
        string folder = values.GetValue(model)!,
            file = values.GetValue(data)!;
        int batch = values.GetValue(batchSize);
        using var decoder = Terminal.Do(
            $"loading the model of {folder}",
            () => Pretrained.Load(folder, TrainingRun.TypeOf(values.GetValue(type)))
        );
        var tokenizer = TokenizerFiles.Load(folder);
        using var adapted = values.GetValue(adapter) is { } place
            ? Terminal.Do($"loading the adapter of {place}", () => AdaptedModel.Load(decoder, place))
            : null;
        decoder.eval();
        var prompts = UserData.Template(values.GetValue(template)!, folder);
        var shown = Terminal.Do($"reading {file}", () => First(RecordReader.Demonstrations(file, prompts), values));
        TokenExample[] examples =
        [
            .. shown
                .Select(item => TokenExample.Of(item.Prompt, item.Completion, tokenizer))
                .Where(item => item.HasLearnt && item.Ids.Length <= decoder.ContextLength + 1),
        ];
        if (examples.Length == 0)
            throw new ArgumentException(
                $"none of the {shown.Count} records of {file} fits the model's context of {decoder.ContextLength} tokens"
            );
        var (loss, accuracy, counted) = Terminal.Do(
            $"measuring {examples.Length} records",
            () => Losses(decoder, examples, tokenizer.PaddingId, batch, stop)
        );
        var rows = new List<(string Name, string Text, object Value)>
        {
            ("records", examples.Length.ToString(CultureInfo.InvariantCulture), examples.Length),
            ("tokens", counted.ToString("F0", CultureInfo.InvariantCulture), counted),
            ("loss", Format.Number(loss, 4), loss),
            ("perplexity", Format.Number(Math.Exp(loss), 4), Math.Exp(loss)),
            ("token_accuracy", Format.Percent(accuracy), accuracy),
        };
        if (examples.Length < shown.Count)
            rows.Add(("records_too_long", $"{shown.Count - examples.Length}", shown.Count - examples.Length));
        if (values.GetValue(answers))
        {
            var right = await RightAsync(decoder, tokenizer, First(RecordReader.Problems(file, prompts), values), values, stop)
                .ConfigureAwait(false);
            rows.Add(("right_answers", right.ToString(), right.Value));
            rows.Add(("right_answers_interval", right.Interval().ToString(), right.Interval()));
        }
        ConsoleTable.Print(new ReportTable(["measure", "value"], [.. rows.Select(row => (string[])[row.Name, row.Text])]), Terminal.Output);
        if (values.GetValue(output) is { } path)
            SummaryFile.Write(path, rows.ToDictionary(row => row.Name, row => row.Value));
    }

    private IReadOnlyList<T> First<T>(IReadOnlyList<T> items, ParseResult values) =>
        values.GetValue(limit) is { } most ? [.. items.Take(most)] : items;

    // Sums over all learnt tokens, so that the loss does not depend on the batches.
    private static (double Loss, double Accuracy, double Tokens) Losses(
        Decoder model,
        TokenExample[] examples,
        int paddingId,
        int batchSize,
        CancellationToken stop
    )
    {
        using var mode = no_grad();
        double sum = 0,
            right = 0,
            tokens = 0;
        foreach (var part in examples.Chunk(batchSize))
        {
            stop.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var scores = SequenceScores.Of(model, SequenceBatch.Of(part, paddingId));
            var mask = scores.Mask.ne(0);
            sum -= scores.LogProbs.sum().ToDouble();
            right += scores.Logits.argmax(-1).eq(scores.Targets).logical_and(mask).sum().ToDouble();
            tokens += mask.sum().ToDouble();
        }
        return (sum / tokens, right / tokens, tokens);
    }

    private async Task<Proportion> RightAsync(
        Decoder model,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        ParseResult values,
        CancellationToken stop
    )
    {
        var reward = Reward.MathAnswer();
        var sampling = new SamplingOptions
        {
            Temperature = 0,
            MaxNewTokens = values.GetValue(tokens),
            SuppressedTokens = Sampled.WithoutText(model, tokenizer),
        };
        var completions = Terminal.Do(
            $"drawing answers to {problems.Count} records",
            () =>
                problems
                    .Where(problem => tokenizer.Encode(problem.Prompt).Length < model.ContextLength)
                    .Chunk(values.GetValue(batchSize))
                    .SelectMany(part =>
                    {
                        stop.ThrowIfCancellationRequested();
                        return Sampled.Completions(model, tokenizer, part, sampling, 0);
                    })
                    .ToArray()
        );
        var scores = await Scoring.ScoreCheckedAsync(reward, completions, RewardContext.None, stop).ConfigureAwait(false);
        return new Proportion(scores.Values.Count(value => value > 0.5), completions.Length);
    }
}
