using System.Text.Json;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Golden;

/// <summary>masks.json: which tokens of a rendered conversation are learnt.</summary>
internal static class MasksGolden
{
    internal static IReadOnlyDictionary<string, GoldenKind> Kinds { get; } =
        new Dictionary<string, GoldenKind>
        {
            ["assistant_mask"] = new(AssistantMask),
            ["assistant_mask_batch"] = new(AssistantMaskBatch),
            ["sft_prepare"] = new(SftPrepare),
            ["template_checks"] = new(TemplateChecks),
        };

    private static void AssistantMask(GoldenCase item)
    {
        var (tokenizer, template) = Load(item);
        var options = new ChatOptions
        {
            AddGenerationPrompt = item.Flag("add_generation_prompt"),
            Tools = item.HasInput("tools") ? [.. item.Json("inputs", "tools").EnumerateArray()] : null,
        };
        var messages = Messages(item.Json("inputs", "messages"));
        var rendered = template.Render(messages, options);
        Assert.Equal(item.Json("expected", "text").GetString(), rendered.Text);
        Assert.Equal(
            item.Json("expected", "spans").EnumerateArray().Select(span => (span[0].GetInt32(), span[1].GetInt32())),
            rendered.AssistantSpans!.Select(span => (CodePoints(rendered.Text, span.Start), CodePoints(rendered.Text, span.End)))
        );
        var example = Truncated(item, Example(rendered.Encode(tokenizer)));
        Assert.Equal(Ints(item.Json("expected", "ids")), example.Ids);
        Assert.Equal(Ints(item.Json("expected", "mask")), example.Learnt!.Select(learnt => learnt ? 1 : 0));
        Assert.Equal(
            item.Json("expected", "masked_text").GetString(),
            tokenizer.Decode([.. example.Ids.Where((_, i) => example.Learnt![i])], skipSpecialTokens: false)
        );
    }

    private static void AssistantMaskBatch(GoldenCase item)
    {
        var (tokenizer, template) = Load(item);
        TokenExample[] rows =
        [
            .. item.Json("inputs", "conversations")
                .EnumerateArray()
                .Select(messages => Truncated(item, Example(template.Encode(tokenizer, Messages(messages))))),
        ];
        var side = item.HasParameter("padding_side") && item.Text("padding_side") == "left" ? PaddingSide.Left : PaddingSide.Right;
        var padding = item.Json("params", "padding");
        int multiple = padding.ValueKind == JsonValueKind.String ? (int)item.Parameter("max_length", 0) : 1;
        void Same(string name, IEnumerable<int[]> values, long pad) =>
            Assert.Equal(
                item.Json("expected", name).EnumerateArray().SelectMany(Ints).Select(value => (long)value),
                SequencePadding.Pad([.. values], pad, side, multiple).data<long>().ToArray()
            );
        Same("ids", rows.Select(row => row.Ids), (long)item.Parameter("pad_token_id", 0));
        Same("attention_mask", rows.Select(row => row.Ids.Select(_ => 1).ToArray()), 0);
        Same("mask", rows.Select(row => row.Learnt!.Select(learnt => learnt ? 1 : 0).ToArray()), 0);
    }

    private static void SftPrepare(GoldenCase item)
    {
        var (tokenizer, template) = item.HasInput("template") ? Load(item) : (TokenizersGolden.Tokenizer(item), null);
        bool assistant = item.Flag("assistant_only_loss"),
            completion = item.Flag("completion_only_loss");
        // The peer's rows hold the first token's label too, which no model predicts.
        var truncation = item.Parameter("max_length", 0) is > 0 and var most
            ? new SequenceTruncation
            {
                MaximumTokens = (int)most,
                Side = item.Text("truncation_mode") == "keep_end" ? TruncationSide.Left : TruncationSide.Right,
            }
            : null;
        item.Unneeded("max_length", "truncation_mode");
        var encoder = new ExampleEncoder(tokenizer, 1000) { Truncation = truncation };
        var rows = new List<TokenExample>();
        foreach (var row in item.Inputs.Objects("rows"))
        {
            var shown = Demonstration(row, template, assistant, completion);
            var example = encoder.Encode(shown.Prompt, shown.Completion, "row[0]");
            if (Enumerable.Range(0, example.Ids.Length).Any(example.Learns))
                rows.Add(example);
        }
        var expected = item.Json("expected", "rows").EnumerateArray().ToArray();
        Assert.Equal(expected.Length, rows.Count);
        foreach (var (row, example) in expected.Zip(rows))
        {
            int[] ids = Ints(row.GetProperty("input_ids"));
            Assert.Equal(ids, example.Ids);
            int[] labels = Ints(row.GetProperty("labels"));
            Assert.Equal(labels[1..], Enumerable.Range(1, ids.Length - 1).Select(i => example.Learns(i) ? ids[i] : -100));
        }
    }

    private static Demonstration Demonstration(GoldenFields row, ChatTemplate? template, bool assistant, bool completion)
    {
        var learnt = assistant ? LearntPart.Assistant : LearntPart.Everything;
        var tools = row.Has("tools") ? row.Value("tools").EnumerateArray().ToArray() : null;
        if (row.Has("messages"))
            return InstructionTemplate
                .Chat(template!)
                .Conversation(Messages(row.Value("messages")), new ConversationOptions { Learnt = learnt, Tools = tools });
        if (row.Has("text"))
            return new Demonstration("", row.Value("text").GetString()!);
        if (row.Value("prompt").ValueKind == JsonValueKind.String)
            return new Demonstration(row.Value("prompt").GetString()!, row.Value("completion").GetString()!);
        var prompt = Messages(row.Value("prompt"));
        return InstructionTemplate
            .Chat(template!)
            .Conversation(
                [.. prompt, .. Messages(row.Value("completion"))],
                new ConversationOptions
                {
                    Learnt = learnt,
                    Given = completion ? prompt.Length : 0,
                    Tools = tools,
                }
            );
    }

    private static void TemplateChecks(GoldenCase item)
    {
        var tokenizer = TokenizersGolden.Tokenizer(item);
        var rows = item.Json("expected", "rows").EnumerateArray().ToArray();
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            string name = row.GetProperty("name").GetString()!;
            var check = new ChatTemplate(row.GetProperty("template").GetString()!, SpecialTokens(item)).Check(tokenizer);
            Assert.Equal((name, row.GetProperty("stop_token_trained").GetBoolean()), (name, check.LearnsEnd));
            Assert.Equal((name, row.GetProperty("prefix_preserving").GetBoolean()), (name, check.KeepsPrefix));
        }
    }

    private static (TokenizerJson, ChatTemplate) Load(GoldenCase item)
    {
        // The name of the template whose source is among the inputs.
        item.Unneeded("template");
        return (TokenizersGolden.Tokenizer(item), new ChatTemplate(item.Inputs.Value("template").GetString()!, SpecialTokens(item)));
    }

    private static IReadOnlyDictionary<string, string> SpecialTokens(GoldenCase item) =>
        ChatTemplate.Load(Path.Combine(GoldenFile.Directory, item.Text("tokenizer")!)).SpecialTokens;

    private static TokenExample Example(EncodedChat chat) => new(chat.Ids) { Learnt = chat.AssistantMask };

    private static TokenExample Truncated(GoldenCase item, TokenExample example) =>
        item.Flag("truncation") ? example.Truncated((int)item.Parameter("max_length", 0)) : example;

    private static ChatMessage[] Messages(JsonElement list) => [.. list.EnumerateArray().Select(ChatMessage.FromJson)];

    private static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(value => value.GetInt32())];

    private static int CodePoints(string text, int place) => text[..place].EnumerateRunes().Count();
}
