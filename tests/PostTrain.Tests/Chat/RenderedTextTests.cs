using System.Text.Json;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.RewardModeling;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Chat;

/// <summary>A text that a template rendered becomes the ids of <see cref="ChatTemplate.Encode"/> wherever it is encoded, on tokenizers that
/// add special tokens and on those that do not.</summary>
public sealed class RenderedTextTests : IDisposable
{
    private const string Bare =
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    private static readonly ChatMessage[] Talk =
    [
        new("user", "What is it?"),
        new("assistant", "A red one."),
        new("user", "Why?"),
        new("assistant", "It is  so."),
    ];

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    /// <summary>Every golden tokenizer with its own template, with one that writes no special tokens, and with one that writes both
    /// ends.</summary>
    public static TheoryData<string, string?> Cases
    {
        get
        {
            var data = new TheoryData<string, string?>();
            foreach (string folder in Directory.GetDirectories(GoldenTokenizers.Directory("")))
            foreach (
                string? template in (string?[])
                    [null, Bare, "{{ bos_token }}" + Bare, "{% for m in messages %}[{{ m.content }}]{% endfor %}{{ eos_token }}\n"]
            )
                data.Add(Path.GetFileName(folder), template);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Conversations_AreEncodedAsTheTemplateEncodesThem(string name, string? source)
    {
        var (tokenizer, template) = Load(name, source);
        int[] whole = template.Encode(tokenizer, Talk).Ids;
        var learnt = InstructionTemplate.Chat(template).Conversation(Talk, new ConversationOptions { Learnt = LearntPart.LastTurn });
        int[] ids = Learnt(learnt.Prompt, learnt.Completion, tokenizer, whole);
        Assert.Equal(ids, RewardText.Encode(learnt.Prompt, learnt.Completion with { Learnt = null }, tokenizer, appendEnd: true));
        Assert.Equal(whole, ((ITokenizer)tokenizer).Encode(learnt.Prompt + learnt.Completion));
        Assert.Equal(template.Render(Talk).Text, learnt.Prompt + learnt.Completion);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Prompts_AreEncodedAsTheTemplateEncodesThem(string name, string? source)
    {
        var (tokenizer, template) = Load(name, source);
        int[] expected = template.Encode(tokenizer, Talk[..3], new ChatOptions { AddGenerationPrompt = true }).Ids;
        Assert.Equal(
            expected,
            tokenizer.Encode(new Problem(template.Render(Talk[..3], new ChatOptions { AddGenerationPrompt = true }).Text).Prompt)
        );
        var problem = new Problem(InstructionTemplate.Chat(template).Prompt(Talk[..3]), "4");
        Assert.Equal(expected, tokenizer.Encode(problem.Prompt));
        // From record to record the mark goes along.
        Assert.Equal(expected, tokenizer.Encode(JudgedCompletion.Unpair([new PreferencePair(problem.Prompt, "a", "b")])[1].Prompt));
        Assert.Equal(expected, StepEncoding.Of(new StepwiseExample(problem.Prompt, ["a"], [1]), tokenizer).Tokens[..expected.Length]);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Records_AreEncodedAsTheTemplateEncodesThem(string name, string? source)
    {
        var (tokenizer, template) = Load(name, source);
        var chat = InstructionTemplate.Chat(template);
        ChatMessage[] better = [new("user", "Add.\n\n1, 1"), new("assistant", "2")],
            worse = [better[0], new("assistant", "3")];
        string path = directory.Write(
            "records.jsonl",
            """{"instruction":"Add.","input":"1, 1","output":"2","chosen":"2","rejected":"3"}"""
        );
        var shown = RecordReader.Demonstrations(path, chat)[0];
        _ = Learnt(shown.Prompt, shown.Completion, tokenizer, template.Encode(tokenizer, better).Ids);
        var pair = RecordReader.Pairs(path, chat)[0];
        _ = Learnt(pair.Prompt, pair.Chosen, tokenizer, template.Encode(tokenizer, better).Ids);
        _ = Learnt(pair.Prompt, pair.Rejected, tokenizer, template.Encode(tokenizer, worse).Ids);
        // Written and read again, a rendered text is rendered still.
        JsonLines.Write(directory.File("pairs.jsonl"), [pair]);
        Assert.Equal([pair], JsonLines.Read<PreferencePair>(directory.File("pairs.jsonl")));
        Assert.Equal([pair], RecordReader.Pairs(directory.File("pairs.jsonl"), InstructionTemplate.Plain));
    }

    // The beginning is written in the text: a plain string of it gets no second one either.
    [Theory]
    [InlineData("bpe-llama3", "<|endoftext|>")]
    [InlineData("sp-bpe", "<s>")]
    [InlineData("sp-metaspace", "<s>")]
    public void PlainText_ThatBeginsWithTheBeginning_GetsNoSecond(string name, string beginning)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        int[] ids = tokenizer.Encode(beginning + "hello");
        Assert.Equal(tokenizer.Encode(beginning + "hello", addSpecialTokens: false), ids);
        Assert.Equal(1, ids.Count(id => id == tokenizer.BeginningOfSequenceId));
        Assert.Equal(tokenizer.BeginningOfSequenceId, tokenizer.Encode("hello")[0]);
    }

    [Theory]
    [InlineData("</s>", true)]
    [InlineData("</s>\n", true)]
    [InlineData("</s> \n ", true)]
    [InlineData("", false)]
    [InlineData(" ", false)]
    [InlineData("</s>.", false)]
    public void Ends_AreNotDoubled(string end, bool hasEnd)
    {
        foreach (string name in (string[])["sp-bpe", "sp-metaspace"])
        {
            var tokenizer = GoldenTokenizers.Load(name);
            int[] text = tokenizer.Encode("ask: hello" + end);
            int[] expected = hasEnd ? text : [.. text, tokenizer.EndOfSequenceId!.Value];
            Assert.Equal(expected, TokenExample.Of("ask:", " hello" + end, tokenizer).Ids);
            Assert.Equal(expected, RewardText.Encode("ask:", " hello" + end, tokenizer, appendEnd: true));
            Assert.Equal(text, RewardText.Encode("ask:", " hello" + end, tokenizer, appendEnd: false));
        }
    }

    [Fact]
    public void StepSeparators_BringNoSpecialTokens()
    {
        var tokenizer = GoldenTokenizers.Load("sp-bpe");
        var encoding = StepEncoding.Of(
            new StepwiseExample("a question", ["one", "two"], [1, 0]),
            tokenizer,
            new StepEncodingOptions { BeginningOfSequenceId = 1 }
        );
        Assert.Equal([0], Enumerable.Range(0, encoding.Tokens.Length).Where(i => encoding.Tokens[i] == tokenizer.BeginningOfSequenceId));
    }

    [Fact]
    public void MarkedText_KeepsTheMarkOfItsBeginning()
    {
        var prompt = MarkedText.Rendered("<s>a");
        Assert.True((prompt + "b").IsRendered);
        Assert.False(("b" + prompt).IsRendered);
        Assert.Equal("<s>ab", prompt + "b");
        Assert.Equal("<s>a!", $"{prompt}!");
        Assert.NotEqual(prompt, new MarkedText("<s>a"));
        Assert.Equal("""{"rendered":"\u003Cs\u003Ea"}""", JsonSerializer.Serialize(prompt));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<MarkedText>("3"));
    }

    // The template's ids; where a token of theirs reaches over the border, the prompt's own and those that spell the rest.
    private static int[] Learnt(MarkedText prompt, MarkedText completion, TokenizerJson tokenizer, int[] whole)
    {
        var example = TokenExample.Of(prompt, completion, tokenizer);
        if (!example.JoinsBorder)
        {
            Assert.Equal(whole, example.Ids);
            return example.Ids;
        }
        int[] own = ((ITokenizer)tokenizer).Encode(prompt);
        Assert.NotEqual(own, whole.Take(own.Length));
        Assert.Equal(own, example.Ids.Take(own.Length));
        Assert.Equal(tokenizer.Decode(whole, skipSpecialTokens: false), tokenizer.Decode(example.Ids, skipSpecialTokens: false));
        return example.Ids;
    }

    private static (TokenizerJson, ChatTemplate) Load(string name, string? source)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        var own = ChatTemplate.Load(GoldenTokenizers.Directory(name));
        return (tokenizer, source is null ? own : new ChatTemplate(source, own.SpecialTokens));
    }
}
