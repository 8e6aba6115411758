using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;

namespace PostTrain.Tests.Data;

/// <summary>A tokenizer that joins letters across the border of prompt and completion: training sees the ids that sampling sees.</summary>
public sealed class BorderTests
{
    public static TheoryData<string, string, string> Joined =>
        new()
        {
            { "bpe-gpt2", "user: Hi assistant: ", "the end" },
            { "bpe-qwen2", "user: Hi assistant: ", "the end" },
            { "bpe-llama3", "user: Hi assistant: ", "the end" },
            { "sp-bpe", "user: Hi assistant: ", "the end" },
            { "sp-metaspace", "user: Hi assistant: ", "the end" },
        };

    [Theory]
    [MemberData(nameof(Joined))]
    public void SpaceAtTheEndOfAPrompt_LeavesThePromptsOwnIds(string name, string prompt, string completion)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        int[] sampled = ((ITokenizer)tokenizer).Encode(new MarkedText(prompt));
        int[] together = ((ITokenizer)tokenizer).Encode(new MarkedText(prompt + completion));
        Assert.False(together.AsSpan().StartsWith(sampled), "the tokenizer was expected to join the space with the word after it");
        var example = TokenExample.Of(prompt, completion, tokenizer, appendEnd: false);
        Assert.True(example.JoinsBorder);
        Assert.Equal(sampled, example.Ids[..example.PromptLength]);
        // What a model that learns this says after the prompt is the completion, its first word included.
        Assert.Equal(tokenizer.Decode(together, skipSpecialTokens: false), tokenizer.Decode(example.Ids, skipSpecialTokens: false));
        Assert.EndsWith(completion, tokenizer.Decode(example.Ids), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-qwen2")]
    [InlineData("bpe-llama3")]
    [InlineData("sp-bpe")]
    [InlineData("sp-metaspace")]
    public void SpaceAtTheBeginningOfACompletion_IsAsBefore(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        var example = TokenExample.Of("user: Hi assistant:", " The end", tokenizer, appendEnd: false);
        Assert.False(example.JoinsBorder);
        Assert.Equal(((ITokenizer)tokenizer).Encode(new MarkedText("user: Hi assistant: The end")), example.Ids);
    }

    // A later turn that begins after a space is cut there too.
    [Theory]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-qwen2")]
    [InlineData("sp-metaspace")]
    public void SpansThatBeginAfterASpace_BeginWithATokenOfTheirOwn(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        const string whole = "Hello world and the end of it";
        int first = whole.IndexOf("world", StringComparison.Ordinal),
            second = whole.IndexOf("end", StringComparison.Ordinal);
        var completion = MarkedText.Rendered(whole) with { Learnt = [new(first, first + 5), new(second, second + 3)] };
        var example = TokenExample.Of(MarkedText.Rendered(""), completion, tokenizer);
        Assert.True(example.JoinsBorder);
        Assert.Equal(whole, tokenizer.Decode(example.Ids).Trim());
        string[] learnt = [.. example.Ids.Where((_, i) => example.Learns(i)).Select(id => tokenizer.Decode([id]))];
        Assert.Equal("worldend", string.Concat(learnt));
        // Sampling at the second span sees exactly the ids before it.
        int begin = Enumerable.Range(0, example.Ids.Length).Last(i => example.Learns(i) && !example.Learns(i - 1));
        Assert.Equal(whole[..second].TrimEnd(), tokenizer.Decode(example.Ids.AsSpan(0, begin).ToArray()).Trim());
    }

    [Fact]
    public void Tokenizers_WithoutOffsets_MarkSpansByWhatTheirIdsSpell()
    {
        var completion = new MarkedText("12+34=") with { Learnt = [new(0, 2), new(5, 6)] };
        var example = TokenExample.Of("a", completion, Toy.Tokenizer, appendEnd: false);
        Assert.Equal(Toy.Tokenizer.Encode("a12+34="), example.Ids);
        Assert.Equal([false, true, true, false, false, false, true], example.Learnt);
    }

    [Fact]
    public void Tokenizers_WhoseIdsSpellAnotherText_AreRefused_WhereSpansAreLearnt()
    {
        var completion = new MarkedText("ABC") with { Learnt = [new(0, 1)] };
        var error = Assert.Throws<ArgumentException>(() => TokenExample.Of("", completion, new LowerCase()));
        Assert.Contains("spell another text", error.Message, StringComparison.Ordinal);
        Assert.Equal([0, 1, 2], TokenExample.Of("", "ABC", new LowerCase()).Ids);
    }

    [Fact]
    public void Encoder_CountsJoinedBorders_AndShowsTheFirst()
    {
        var notes = new DataNotes();
        var encoder = new ExampleEncoder(GoldenTokenizers.Load("bpe-qwen2"), 100) { Notes = notes };
        _ = encoder.Encode("a:", " good one", "data[0]");
        _ = encoder.Encode("question: ", "the answer", "data[1]");
        _ = encoder.Encode("second: ", "the answer", "data[2]");
        var note = Assert.Single(notes.Of(3));
        Assert.Equal(("joined-border", 2), (note.Name, note.Count));
        Assert.Contains("2 of 3 examples", note.Message, StringComparison.Ordinal);
        Assert.Contains("data[1], 'question: ' before 'the answer'", note.Message, StringComparison.Ordinal);
        Assert.Contains("space", note.Advice, StringComparison.Ordinal);
    }

    private sealed class LowerCase : ITokenizer
    {
        public int VocabularySize => 26;

        public int? EndOfSequenceId => null;

        public int PaddingId => 0;

        public int[] Encode(string text) => [.. text.ToLowerInvariant().Select(letter => letter - 'a')];

        public string Decode(ReadOnlySpan<int> ids) => string.Concat(ids.ToArray().Select(id => (char)('a' + id)));
    }
}
