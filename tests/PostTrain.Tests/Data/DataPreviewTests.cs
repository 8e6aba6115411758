using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Tests.Data;

public sealed class DataPreviewTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Preview_CountsRecords_Lengths_Skips_AndShowsAnExampleWithItsMask()
    {
        string path = directory.Write(
            "data.jsonl",
            """{"prompt":"a=","completion":"bc","id":1}"""
                + "\n"
                + """{"prompt":"a"}"""
                + "\n"
                + """{"prompt":"0123456789","completion":"abcdef"}"""
        );
        var preview = DataPreview.Of(
            path,
            InstructionTemplate.Plain,
            Toy.Tokenizer,
            new DataPreviewOptions { ContextLength = 12, ShownExample = 0 }
        );
        Assert.Equal((RecordKind.Demonstrations, 3, 2, 1), (preview.Kind, preview.Records, preview.Examples, preview.SkippedCount));
        Assert.Contains("expected prompt and completion", preview.Skipped[0].Reason, StringComparison.Ordinal);
        // a=bc and the end; ten digits, six letters and the end.
        Assert.Equal((5, 17, 22L), (preview.Lengths.Minimum, preview.Lengths.Maximum, preview.Lengths.Total));
        Assert.Equal((3, 7), (preview.LearntLengths.Minimum, preview.LearntLengths.Maximum));
        Assert.Equal(1, preview.TooLong);
        Assert.Equal(
            [("prompt", 3, true), ("completion", 2, true), ("id", 1, false)],
            preview.Fields.Select(field => (field.Name, field.Records, field.IsRead))
        );
        Assert.Equal(["skipped-records", "unread-fields"], preview.Notes.Select(note => note.Name));
        var shown = Assert.Single(preview.Shown);
        Assert.Equal("a=bc", string.Concat(shown.Tokens.Take(4).Select(token => token.Text)));
        Assert.Equal([false, false, true, true, true], shown.Tokens.Select(token => token.IsLearnt));
        var cut = DataPreview.Of(
            path,
            InstructionTemplate.Plain,
            Toy.Tokenizer,
            new DataPreviewOptions { Truncation = new SequenceTruncation { MaximumTokens = 8 } }
        );
        Assert.Contains("truncated-away", cut.Notes.Select(note => note.Name));
    }

    [Fact]
    public void Conversations_ShowEveryTurn()
    {
        var tokenizer = GoldenTokenizers.Load("bpe-qwen2");
        var template = new ChatTemplate(
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        );
        string path = directory.Write(
            "talk.jsonl",
            """{"messages":[{"role":"user","content":"Hello é"},{"role":"assistant","content":"Hi there"},"""
                + """{"role":"user","content":"Bye"},{"role":"assistant","content":"See you"}]}"""
        );
        var shown = Assert.Single(DataPreview.Of(path, InstructionTemplate.Chat(template), tokenizer).Shown).Tokens;
        Assert.Equal(
            "Hi there<|im_end|>\nSee you<|im_end|>\n",
            string.Concat(shown.Where(token => token.IsLearnt).Select(token => token.Text))
        );
    }

    [Theory]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c"}""", RecordKind.Pairs, 2)]
    [InlineData("""{"prompt":"a","completion":"b","label":true}""", RecordKind.Judged, 1)]
    [InlineData("""{"prompt":"a","answer":"b"}""", RecordKind.Problems, 1)]
    [InlineData("""{"instruction":"a","output":"b"}""", RecordKind.Demonstrations, 1)]
    public void Kind_IsThatOfTheFirstRecord(string record, RecordKind kind, int sides)
    {
        string path = directory.Write("data.jsonl", record);
        var preview = DataPreview.Of(path, InstructionTemplate.Plain, Toy.Tokenizer);
        Assert.Equal((kind, sides), (preview.Kind, preview.Shown.Count));
    }

    [Fact]
    public void UnknownRecords_SayWhatTheyLack()
    {
        string path = directory.Write("data.jsonl", """{"x":"a"}""");
        var error = Assert.Throws<InvalidDataException>(() => DataPreview.Of(path, InstructionTemplate.Plain, Toy.Tokenizer));
        Assert.Contains("has the fields x, expected prompt and completion", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() =>
            DataPreview.Of(directory.Write("no.jsonl", ""), InstructionTemplate.Plain, Toy.Tokenizer)
        );
    }

    [Fact]
    public void Histogram_ByHand()
    {
        var histogram = TokenHistogram.Of([1, 2, 2, 3, 10], bars: 3);
        Assert.Equal([new TokenCount(1, 4, 4), new(5, 8, 0), new(9, 10, 1)], histogram.Bars);
        Assert.Equal(
            (5, 18L, 1, 10, 2, 10, 3.6),
            (
                histogram.Count,
                histogram.Total,
                histogram.Minimum,
                histogram.Maximum,
                histogram.Median,
                histogram.Percentile95,
                histogram.Mean
            )
        );
        Assert.Equal([new TokenCount(7, 7, 2)], TokenHistogram.Of([7, 7]).Bars);
        Assert.Empty(TokenHistogram.Of([]).Bars);
        Assert.Equal(int.MaxValue, TokenHistogram.Of([0, int.MaxValue], 2).Bars[^1].To);
    }
}
