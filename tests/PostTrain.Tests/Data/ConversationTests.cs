using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Data;

/// <summary>Conversations of several turns: exactly the assistant's text is learnt, in demonstrations, pairs and judged
/// completions.</summary>
public sealed class ConversationTests : IDisposable
{
    private const string Blocks =
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>{% endgeneration %}"
        + "{% else %}{{ m.content }}</s>{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    private const string NoBlocks =
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

    // As reasoning models do: what was thought in earlier turns is dropped.
    private const string Forgets =
        "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('#')[-1] }}{% else %}"
        + "{{ m.content }}{% endif %}</s>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
    private const string Talk =
        """{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},"""
        + """{"role":"assistant","content":"d"}""";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData(Blocks, "b</s>|d</s>", "<user>a</s>\n<assistant>")]
    [InlineData(NoBlocks, "b</s>\n|d</s>\n", "<user>a</s>\n<assistant>")]
    public void EveryMessageOfTheAssistant_IsLearnt_AndNothingElse(string source, string learnt, string prompt)
    {
        var shown = Assert.Single(Read($$"""{"messages":[{{Talk}}]}""", source));
        Assert.Equal(MarkedText.Rendered(prompt), shown.Prompt);
        Assert.Equal(learnt.Split('|'), Learnt(shown.Completion));
        Assert.Equal("<user>a</s>\n<assistant>b</s>\n<user>c</s>\n<assistant>d</s>\n", shown.Prompt + shown.Completion);
    }

    [Fact]
    public void LastTurn_AndEverything_AreLearntOnRequest()
    {
        string record = $$"""{"messages":[{{Talk}}]}""";
        var last = Assert.Single(Read(record, Blocks, LearntPart.LastTurn));
        Assert.Equal("<user>a</s>\n<assistant>b</s>\n<user>c</s>\n<assistant>", last.Prompt);
        Assert.Equal(["d</s>"], Learnt(last.Completion));
        var all = Assert.Single(Read(record, Blocks, LearntPart.Everything));
        Assert.Equal(("", null), (all.Prompt.Text, all.Completion.Learnt));
        // A prompt of its own is given, whoever speaks in it.
        var rest = Assert.Single(
            Read(
                """{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},"""
                    + """{"role":"user","content":"c"}],"completion":[{"role":"assistant","content":"d"},"""
                    + """{"role":"user","content":"e"},{"role":"assistant","content":"f"}]}""",
                Blocks
            )
        );
        Assert.Equal("<user>a</s>\n<assistant>b</s>\n<user>c</s>\n<assistant>", rest.Prompt);
        Assert.Equal(["d</s>", "f</s>"], Learnt(rest.Completion));
    }

    [Fact]
    public void Template_ThatChangesEarlierTurns_GivesOneExampleForEach()
    {
        string record =
            """{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"x#b"},"""
            + """{"role":"user","content":"c"},{"role":"assistant","content":"y#d"}]}""";
        var path = directory.Write("talk.jsonl", record);
        var read = RecordReader.Demonstrations(path, InstructionTemplate.Chat(new ChatTemplate(Forgets)));
        Assert.Equal(
            [
                new(MarkedText.Rendered("<user>a</s>\n<assistant>"), MarkedText.Rendered("x#b</s>\n")),
                new(MarkedText.Rendered("<user>a</s>\n<assistant>b</s>\n<user>c</s>\n<assistant>"), MarkedText.Rendered("y#d</s>\n")),
            ],
            read
        );
        Assert.Equal(["split-conversation"], read.Notes.Select(note => note.Name));
    }

    [Fact]
    public void Pairs_AndJudged_OfSeveralTurns_LearnTheAssistantOnly()
    {
        string record =
            """{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},"""
            + """{"role":"user","content":"c"},"""
            + """{"role":"assistant","content":"d"}],"rejected":[{"role":"user","content":"a"},"""
            + """{"role":"assistant","content":"x"},{"role":"user","content":"y"},"""
            + """{"role":"assistant","content":"z"}]}""";
        var template = InstructionTemplate.Chat(new ChatTemplate(Blocks));
        var pair = Assert.Single(RecordReader.Pairs(directory.Write("pairs.jsonl", record), template));
        Assert.Equal("<user>a</s>\n<assistant>", pair.Prompt);
        Assert.Equal(["b</s>", "d</s>"], Learnt(pair.Chosen));
        Assert.Equal(["x</s>", "z</s>"], Learnt(pair.Rejected));
        var judged = RecordReader.Judged(directory.File("pairs.jsonl"), template);
        Assert.Equal([pair.Chosen, pair.Rejected], judged.Select(item => item.Completion));
        var labelled = RecordReader.Judged(directory.Write("judged.jsonl", $$"""{"messages":[{{Talk}}],"label":false}"""), template)[0];
        Assert.Equal(["b</s>", "d</s>"], Learnt(labelled.Completion));
        Assert.False(labelled.Desirable);
        // Spans survive writing.
        JsonLines.Write(directory.File("again.jsonl"), [pair]);
        Assert.Equal([pair], JsonLines.Read<PreferencePair>(directory.File("again.jsonl")));
        Assert.Equal([pair], RecordReader.Pairs(directory.File("again.jsonl"), InstructionTemplate.Plain));
    }

    [Fact]
    public void Tools_OfARecord_ReachTheTemplate_InConversationsAndPrompts()
    {
        const string source =
            "{% for t in tools or [] %}[{{ t.function.name }}]{% endfor %}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
            + "{% if add_generation_prompt %}<assistant>{% endif %}";
        const string tools = """ "tools":[{"type":"function","function":{"name":"clock"}}]""";
        var template = InstructionTemplate.Chat(new ChatTemplate(source));
        var shown = RecordReader.Demonstrations(directory.Write("a.jsonl", $$"""{"messages":[{{Talk}}],{{tools}}}"""), template)[0];
        Assert.Equal("[clock]<user>a<assistant>", shown.Prompt);
        var problem = RecordReader.Problems(
            directory.Write("b.jsonl", $$"""{"prompt":[{{Talk}},{"role":"user","content":"e"}],"answer":"f",{{tools}}}"""),
            template
        )[0];
        Assert.Equal("[clock]<user>a<assistant>b<user>c<assistant>d<user>e<assistant>", problem.Prompt);
        // A table holds the schemas as text.
        var text = RecordReader.Problems(
            directory.Write(
                "c.jsonl",
                """{"prompt":[{"role":"user","content":"e"}],"answer":"f","tools":"[{\"function\":{\"name\":\"x\"}}]"}"""
            ),
            template
        )[0];
        Assert.Equal("[x]<user>e<assistant>", text.Prompt);
        Assert.Contains(
            "tools",
            Assert
                .Throws<InvalidDataException>(() =>
                    RecordReader.Problems(
                        directory.Write("d.jsonl", """{"prompt":[{"role":"user","content":"e"}],"answer":"f","tools":"x"}"""),
                        template
                    )
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("bpe-qwen2")]
    [InlineData("bpe-llama3")]
    [InlineData("sp-metaspace")]
    public void Tokens_OfSpans_SpellWhatTheAssistantWrote(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        var template = InstructionTemplate.Chat(new ChatTemplate(Blocks.Replace("</s>", "\n", StringComparison.Ordinal)));
        ChatMessage[] talk =
        [
            new("user", "What is 2+2?"),
            new("assistant", "It is 4."),
            new("user", "And é?"),
            new("assistant", "naïve 🙂"),
        ];
        var shown = template.Conversation(talk);
        var example = TokenExample.Of(shown.Prompt, shown.Completion, tokenizer);
        Assert.True(example.HasLearnt);
        string learnt = string.Concat(Runs(example).Select(run => tokenizer.Decode(run, skipSpecialTokens: false)));
        Assert.Equal("It is 4.naïve 🙂", learnt.Replace("\n", "", StringComparison.Ordinal));
        Assert.Equal(((ITokenizer)tokenizer).Encode(shown.Prompt + shown.Completion), example.Ids);
    }

    [Fact]
    public void Truncation_FromEitherEnd_KeepsTheMask()
    {
        var example = new TokenExample([1, 2, 3, 4, 5, 6], 1) { Learnt = [false, true, false, false, true, true] };
        var left = example.Truncated(3, TruncationSide.Left);
        Assert.Equal([4, 5, 6], left.Ids);
        Assert.Equal([false, true, true], left.Learnt);
        var right = example.Truncated(3);
        Assert.Equal([1, 2, 3], right.Ids);
        Assert.Equal([false, true, false], right.Learnt);
        // The first token of a sequence is never predicted.
        Assert.False((example with { Learnt = [true, false, false, false, false, false] }).HasLearnt);
    }

    [Fact]
    public void MarkedText_IsEqualByItsSpans_AndSlicesThem()
    {
        var text = MarkedText.Rendered("abcdef") with { Learnt = [new(1, 3), new(4, 6)] };
        Assert.Equal(text, MarkedText.Rendered("abcdef") with { Learnt = [new(1, 3), new(4, 6)] });
        Assert.NotEqual(text, MarkedText.Rendered("abcdef"));
        Assert.Equal([new TextSpan(0, 1), new TextSpan(2, 3)], text.Slice(2, 3).Learnt);
        Assert.Null((text + "x").Learnt);
    }

    private RecordSet<Demonstration> Read(string record, string source, LearntPart learnt = LearntPart.Assistant) =>
        RecordReader.Demonstrations(
            directory.Write("talk.jsonl", record),
            InstructionTemplate.Chat(new ChatTemplate(source)),
            new RecordOptions { Learnt = learnt }
        );

    private static string[] Learnt(MarkedText text) =>
        text.Learnt is { } spans ? [.. spans.Select(span => text.Text[span.Start..span.End])] : [text.Text];

    private static IEnumerable<int[]> Runs(TokenExample example)
    {
        var run = new List<int>();
        for (int i = 0; i <= example.Ids.Length; i++)
        {
            if (i < example.Ids.Length && example.Learns(i))
                run.Add(example.Ids[i]);
            else if (run.Count > 0)
            {
                yield return [.. run];
                run.Clear();
            }
        }
    }
}
