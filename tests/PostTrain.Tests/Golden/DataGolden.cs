using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>data.json.</summary>
internal static class DataGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["pad"] = new(Pad),
            ["flush_left"] = new(FlushLeft),
            ["nanstd"] = new(StandardDeviation),
            ["lm_collator"] = new(LanguageModel),
            ["preference_collator"] = new(Preference),
            ["pack"] = new(Pack),
            ["repeat_sampler"] = new(RepeatSampler),
            ["extract_prompt"] = new(ExtractPrompt),
            ["to_chatml"] = new(ToChatMl),
            ["unpair"] = new(Unpair),
        };

    private static void Pad(GoldenCase item)
    {
        var side = item.Text("padding_side") == "left" ? PaddingSide.Left : PaddingSide.Right;
        var padded = SequencePadding.Pad(
            Rows(item.Json("inputs", "tensors")),
            (long)item.Parameter("padding_value", 0),
            side,
            (int)item.Parameter("pad_to_multiple_of", 1)
        );
        TensorAssert.Same(item.Expected("padded"), padded, "padded");
    }

    private static void FlushLeft(GoldenCase item)
    {
        var (mask, values) = SequencePadding.FlushLeft(item.Input("mask"), item.Input("tensor"));
        TensorAssert.Same(item.Expected("mask"), mask, "mask");
        TensorAssert.Same(item.Expected("tensor"), values, "values");
    }

    // NaN is what does not count: the masked variance of each row, and of all.
    private static void StandardDeviation(GoldenCase item)
    {
        // The reference divides two counts, which gives it n/(n − 1) in float32 whatever the values' type is.
        const double tolerance = 1e-7;
        var values = item.Input("x");
        TensorAssert.Close(item.ExpectedNumber("all"), Deviation(values), tolerance, "all");
        var rows = values.unbind(0).Select(Deviation).ToArray();
        TensorAssert.Close(item.Expected("dim1"), stack(rows), tolerance, "dim1");

        // Of fewer than two values the reference has none.
        static Tensor Deviation(Tensor values)
        {
            var known = values.isnan().logical_not();
            return known.sum().ToInt64() < 2 ? full_like(values.sum(), double.NaN) : Masked.Variance(values, known, unbiased: true).sqrt();
        }
    }

    // The reference's rows are whole sequences with labels that its loss shifts; ours are shifted already, so that a sequence of n tokens
    // is n − 1 positions: inputs without the last token, targets without the first, whose label no model predicts.
    private static void LanguageModel(GoldenCase item)
    {
        bool joined = item.Flag("padding_free");
        TokenExample[] examples = [.. item.Inputs.Objects("examples").SelectMany(Learnt)];
        int padding = (int)item.Parameter("pad_token_id", 0),
            multiple = (int)item.Parameter("pad_to_multiple_of", 1);
        using var batch = joined ? SequenceBatch.Joined(examples, padding, multiple) : SequenceBatch.Of(examples, padding, multiple);
        var (ids, labels) = (item.Expected("input_ids"), item.Expected("labels"));
        Assert.Equal(!joined, item.HasExpected("attention_mask"));
        Assert.Equal(joined, item.HasExpected("position_ids"));
        if (joined)
        {
            // Of each sequence all tokens but the last, all but the first, and the positions of the inputs.
            var positions = item.Expected("position_ids");
            long[] starts = [.. Starts(examples), ids.shape[1]],
                reads = [.. Positions(starts, 0)],
                predicts = [.. Positions(starts, 1)];
            (ids, labels, positions) = (Pick(ids, reads), Pick(labels, predicts), Pick(positions, reads));
            TensorAssert.Same(Pick(item.Expected("input_ids"), predicts), batch.Targets, "targets");
            TensorAssert.Same(ids, batch.Inputs, "inputs");
            TensorAssert.Same(positions, batch.Positions(), "positions");
        }
        else
        {
            TensorAssert.Same(ids, Whole(batch), "ids");
            labels = labels.narrow(1, 1, labels.shape[1] - 1);
            TensorAssert.Same(item.Expected("attention_mask").narrow(1, 0, labels.shape[1]), batch.AttentionMask, "attention mask");
        }
        TensorAssert.Same(labels, batch.Targets.masked_fill(batch.LossMask.eq(0), -100), "labels");
    }

    // One example for each sequence that a packed row is made of.
    private static IEnumerable<TokenExample> Learnt(GoldenFields example)
    {
        int[] ids = Row(example.Value("input_ids")),
            labels = Optional(example, "labels") ?? ids;
        Assert.Equal(ids.Length, labels.Length);
        if (labels.Where((label, i) => label != -100 && label != ids[i]).Any())
            throw new NotSupportedException("a label is neither −100 nor the token itself");
        int start = 0;
        foreach (int length in Optional(example, "seq_lengths") ?? [ids.Length])
        {
            yield return new TokenExample(ids[start..(start + length)])
            {
                Learnt = [.. labels[start..(start + length)].Select(label => label != -100)],
            };
            start += length;
        }
        Assert.Equal(ids.Length, start);
    }

    private static IEnumerable<long> Starts(TokenExample[] examples)
    {
        long start = 0;
        foreach (var example in examples)
        {
            yield return start;
            start += example.Ids.Length;
        }
        yield return start;
    }

    // Places of a sequence's tokens but for one at its end; the last pair of starts is the padding, of which all places stay.
    private static IEnumerable<long> Positions(long[] starts, int shift) =>
        starts
            .Zip(starts.Skip(1))
            .SelectMany(
                (pair, i) =>
                    Enumerable
                        .Range(0, (int)(pair.Second - pair.First) - (i < starts.Length - 2 ? 1 : 0))
                        .Select(t => pair.First + t + (i < starts.Length - 2 ? shift : 0))
            );

    private static Tensor Pick(Tensor row, long[] places) => row.index_select(1, tensor(places));

    // Inputs and the last targets: whole sequences.
    private static Tensor Whole(SequenceBatch batch) => cat([batch.Inputs.narrow(1, 0, 1), batch.Targets], 1);

    private static void Preference(GoldenCase item)
    {
        int maximum = item.HasParameter("max_length") ? (int)item.Parameter("max_length", 0) : int.MaxValue;
        var side = item.Text("truncation_mode") switch
        {
            "keep_end" => TruncationSide.Left,
            "keep_start" or null => TruncationSide.Right,
            var other => throw new NotSupportedException($"truncation_mode is {other}, expected keep_start or keep_end"),
        };
        (TokenExample Chosen, TokenExample Rejected)[] pairs =
        [
            .. item.Inputs.Objects("examples").Select(example => (Side(example, "chosen_ids"), Side(example, "rejected_ids"))),
        ];
        var batch = PairBatch.Of(pairs, (int)item.Parameter("pad_token_id", 0), (int)item.Parameter("pad_to_multiple_of", 1)).Sequences;
        long columns = batch.Inputs.shape[1];
        TensorAssert.Same(item.Expected("input_ids"), Whole(batch), "ids");
        TensorAssert.Same(item.Expected("attention_mask").narrow(1, 0, columns), batch.AttentionMask, "attention mask");
        // The first token is predicted by nothing.
        TensorAssert.Same(
            item.Expected("completion_mask").narrow(1, 1, columns),
            batch.LossMask.to_type(ScalarType.Int64),
            "completion mask"
        );

        TokenExample Side(GoldenFields example, string name)
        {
            int[] prompt = Row(example.Value("prompt_ids"));
            return new TokenExample([.. prompt, .. Row(example.Value(name))], prompt.Length).Truncated(maximum, side);
        }
    }

    private static void Pack(GoldenCase item)
    {
        var strategy = item.Text("strategy") switch
        {
            "bfd" => PackingStrategy.BestFit,
            "bfd_split" => PackingStrategy.BestFitSplit,
            "wrapped" => PackingStrategy.Wrapped,
            var other => throw new NotSupportedException($"the strategy {other} is not known, expected bfd, bfd_split or wrapped"),
        };
        var rows = Packing.PackRows(Rows(item.Json("inputs", "input_ids")), (int)item.Parameter("seq_length", 0), strategy);
        Assert.Equal(Rows(item.Json("expected", "input_ids")), rows.Select(row => row.Ids));
        if (item.HasExpected("seq_lengths"))
            Assert.Equal(Rows(item.Json("expected", "seq_lengths")), rows.Select(row => row.Lengths));
    }

    private static void RepeatSampler(GoldenCase item)
    {
        int count = (int)item.Parameter("num_samples", 0),
            batch = (int)item.Parameter("batch_size", 1);
        int copies = (int)item.Parameter("mini_repeat_count", 1),
            repeats = (int)item.Parameter("repeat_count", 1);
        Assert.Equal(Row(item.Json("expected", "indices")), RepeatedOrder.Indices([.. Enumerable.Range(0, count)], batch, copies, repeats));
        Assert.Equal(item.ExpectedNumber("len"), RepeatedOrder.Count(count, batch, copies, repeats));
    }

    private static void ExtractPrompt(GoldenCase item)
    {
        var (chosen, rejected) = (item.Json("inputs", "chosen"), item.Json("inputs", "rejected"));
        string[] parts;
        if (chosen.ValueKind == JsonValueKind.String)
        {
            var pair = PromptExtraction.Extract(chosen.GetString()!, rejected.GetString()!);
            parts = [Canonical(pair.Prompt), Canonical(pair.Chosen), Canonical(pair.Rejected)];
        }
        else
        {
            var (prompt, left, right) = PromptExtraction.Extract(Messages(chosen), Messages(rejected));
            parts = [.. new[] { prompt, left, right }.Select(messages => $"[{string.Join(',', messages)}]")];
        }

        Assert.Equal(new[] { "prompt", "chosen", "rejected" }.Select(name => Canonical(item.Json("expected", name))), parts);
    }

    // The reader of data sets takes both forms of a message.
    private static void ToChatMl(GoldenCase item)
    {
        int compared = 0;
        foreach (string name in (string[])["prompt", "completion", "chosen", "rejected", "messages", "conversations"])
        {
            if (!item.HasInput(name))
                continue;
            string converted = name == "conversations" ? "messages" : name;
            var (given, expected) = (item.Json("inputs", name), item.Json("expected", converted));
            if (expected.ValueKind == JsonValueKind.Array)
            {
                // The reader also takes other names of roles for the usual ones, in both forms.
                Assert.Equal(Read(expected), Read(given));
            }
            else
            {
                Assert.Equal(Canonical(expected), Canonical(given));
            }
            compared++;
        }

        Assert.NotEqual(0, compared);

        static (string Role, string? Content)[] Read(JsonElement messages)
        {
            using var record = JsonDocument.Parse($$"""{"messages":{{messages.GetRawText()}}}""");
            return
            [
                .. new JsonRecord("the case", record.RootElement).Messages("messages")!.Select(message => (message.Role, message.Content)),
            ];
        }
    }

    private static void Unpair(GoldenCase item)
    {
        string[] Texts(string part, string name) => [.. item.Json(part, name).EnumerateArray().Select(text => text.GetString()!)];
        var (prompts, chosen, rejected) = (Texts("inputs", "prompt"), Texts("inputs", "chosen"), Texts("inputs", "rejected"));
        var rows = JudgedCompletion.Unpair([.. prompts.Select((prompt, i) => new PreferencePair(prompt, chosen[i], rejected[i]))]);
        Assert.Equal(Texts("expected", "prompt"), rows.Select(row => row.Prompt.Text));
        Assert.Equal(Texts("expected", "completion"), rows.Select(row => row.Completion.Text));
        Assert.Equal(
            item.Json("expected", "label").EnumerateArray().Select(label => label.GetBoolean()),
            rows.Select(row => row.Desirable)
        );
    }

    private static string[] Messages(JsonElement messages) => [.. messages.EnumerateArray().Select(Canonical)];

    private static string Canonical(JsonElement element) => JsonNode.Parse(element.GetRawText())!.ToJsonString();

    private static string Canonical(string text) => JsonValue.Create(text).ToJsonString();

    private static int[] Row(JsonElement element) => [.. element.EnumerateArray().Select(value => value.GetInt32())];

    private static int[][] Rows(JsonElement element) => [.. element.EnumerateArray().Select(Row)];

    private static int[]? Optional(GoldenFields example, string name) => example.Find(name) is { } found ? Row(found) : null;
}
