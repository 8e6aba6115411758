using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Numerics;
using PostTrain.Tests.Support;
using PostTrain.Text;
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

    private static void StandardDeviation(GoldenCase item)
    {
        // The reference divides two counts, which gives it n/(n − 1) in float32 whatever the values' type is.
        const double tolerance = 1e-7;
        var values = item.Input("x");
        TensorAssert.Close(item.ExpectedNumber("all"), NanStatistics.StandardDeviation(values), tolerance, "all");
        TensorAssert.Close(item.Expected("dim1"), NanStatistics.StandardDeviation(values, 1), tolerance, "dim1");
    }

    private static void LanguageModel(GoldenCase item)
    {
        LanguageModelExample[] examples =
        [
            .. item
                .Inputs.Objects("examples")
                .Select(example => new LanguageModelExample(
                    Row(example.Value("input_ids")),
                    Optional(example, "labels"),
                    Optional(example, "seq_lengths")
                )),
        ];
        int padding = (int)item.Parameter("pad_token_id", 0),
            multiple = (int)item.Parameter("pad_to_multiple_of", 1);
        using var batch = item.Flag("padding_free")
            ? Collation.PaddingFree(examples, padding, multiple)
            : Collation.LanguageModel(examples, padding, multiple);
        TensorAssert.Same(item.Expected("input_ids"), batch.Ids, "ids");
        TensorAssert.Same(item.Expected("labels"), batch.Labels, "labels");
        Assert.Equal(item.HasExpected("attention_mask"), batch.AttentionMask is not null);
        Assert.Equal(item.HasExpected("position_ids"), batch.Positions is not null);
        if (batch.AttentionMask is not null)
            TensorAssert.Same(item.Expected("attention_mask"), batch.AttentionMask, "attention mask");
        if (batch.Positions is not null)
            TensorAssert.Same(item.Expected("position_ids"), batch.Positions, "positions");
    }

    private static void Preference(GoldenCase item)
    {
        PreferenceTokens[] pairs =
        [
            .. item
                .Inputs.Objects("examples")
                .Select(example => new PreferenceTokens(
                    Row(example.Value("prompt_ids")),
                    Row(example.Value("chosen_ids")),
                    Row(example.Value("rejected_ids"))
                )),
        ];
        using var batch = Collation.Preference(
            pairs,
            (int)item.Parameter("pad_token_id", 0),
            item.HasParameter("max_length") ? (int)item.Parameter("max_length", 0) : null,
            item.Text("truncation_mode") == "keep_end" ? TruncationSide.Left : TruncationSide.Right,
            (int)item.Parameter("pad_to_multiple_of", 1)
        );
        TensorAssert.Same(item.Expected("input_ids"), batch.Ids, "ids");
        TensorAssert.Same(item.Expected("attention_mask"), batch.AttentionMask, "attention mask");
        TensorAssert.Same(item.Expected("completion_mask"), batch.CompletionMask, "completion mask");
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

    private static void ToChatMl(GoldenCase item)
    {
        var example = new JsonObject();
        var expected = new JsonObject();
        foreach (string name in (string[])["prompt", "completion", "chosen", "rejected", "messages", "conversations"])
        {
            if (item.HasInput(name))
                example[name] = JsonNode.Parse(item.Json("inputs", name).GetRawText());
            if (item.HasExpected(name))
                expected[name] = JsonNode.Parse(item.Json("expected", name).GetRawText());
        }

        Assert.NotEmpty(expected);
        var converted = ChatMl.Convert(example);
        Assert.True(JsonNode.DeepEquals(expected, converted), converted.ToJsonString());
    }

    private static void Unpair(GoldenCase item)
    {
        string[] Texts(string part, string name) => [.. item.Json(part, name).EnumerateArray().Select(text => text.GetString()!)];
        var (prompts, chosen, rejected) = (Texts("inputs", "prompt"), Texts("inputs", "chosen"), Texts("inputs", "rejected"));
        var rows = RatedCompletion.Unpair([.. prompts.Select((prompt, i) => new PreferencePair(prompt, chosen[i], rejected[i]))]);
        Assert.Equal(Texts("expected", "prompt"), rows.Select(row => row.Prompt.Text));
        Assert.Equal(Texts("expected", "completion"), rows.Select(row => row.Completion.Text));
        Assert.Equal(item.Json("expected", "label").EnumerateArray().Select(label => label.GetBoolean()), rows.Select(row => row.Label));
    }

    private static string[] Messages(JsonElement messages) => [.. messages.EnumerateArray().Select(Canonical)];

    private static string Canonical(JsonElement element) => JsonNode.Parse(element.GetRawText())!.ToJsonString();

    private static string Canonical(string text) => JsonValue.Create(text).ToJsonString();

    private static int[] Row(JsonElement element) => [.. element.EnumerateArray().Select(value => value.GetInt32())];

    private static int[][] Rows(JsonElement element) => [.. element.EnumerateArray().Select(Row)];

    private static int[]? Optional(GoldenFields example, string name) => example.Find(name) is { } found ? Row(found) : null;
}
