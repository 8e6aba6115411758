using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

public sealed class GreedyTokenizerTests : IDisposable
{
    //                            0        1         2    3    4     5   6  7  8    9
    private const string Tokens = "_[inst]\n_[/inst]\n_ca\n_cat\ncats\n_\na\nc\nt\n_the\n!\ns\n";
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private GreedyTokenizer Toy(string content = Tokens) => GreedyTokenizer.Load(directory.Write("tokens.txt", content));

    [Fact]
    public void Encode_TakesTheLongestTokenAtEachPlace()
    {
        Assert.Equal([0, 9, 3, 11, 10, 1], Toy().Encode("[inst] The CATS! [/inst]")); // " cats" is " cat" + "s": greedy, not "cats"
        Assert.Equal([3], Toy().Encode(" cat"));
        Assert.Equal([3], Toy().Encode("cat"));
        Assert.Equal([5, 3], Toy().Encode("  cat"));
        Assert.Empty(Toy().Encode(""));
    }

    [Fact]
    public void Decode_LeavesOutTheMarksAndOneLeadingSpace() => Assert.Equal("the cats!", Toy().Decode([0, 9, 3, 11, 10, 1, 0]));

    [Fact]
    public void Ids_OfTheMarks()
    {
        Assert.Equal((0, 0, 12), (Toy().EndOfSequenceId, Toy().PaddingId, Toy().VocabularySize));
        Assert.Null(Toy("a\nb").EndOfSequenceId);
    }

    [Fact]
    public void RoundTrip_RandomTexts()
    {
        var tokenizer = Toy();
        var random = new Random(2);
        for (var i = 0; i < 2000; i++)
        {
            var text = string.Concat(random.GetItems<string>(["a", "c", "t", "s", "!", " the", " cat", " ", "cats"], random.Next(30)))
                .TrimStart();
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Fact]
    public void Encode_UnknownCharacter_NamesItsPositionInTheGivenText()
    {
        Assert.Contains(
            "'z' (U+007A) at position 3",
            Assert.Throws<ArgumentException>(() => Toy().Encode("catz")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains("at position 4", Assert.Throws<ArgumentException>(() => Toy().Encode(" catz")).Message, StringComparison.Ordinal);
        Assert.Contains("'_'", Assert.Throws<ArgumentException>(() => Toy().Encode("c_")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("a\n\nb\n", "line 2: the token has 0 characters")]
    [InlineData("a\nb\na\n", "line 3: the token 'a' is also on line 1")]
    public void Load_BrokenFile_NamesTheLine(string content, string part) =>
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Toy(content)).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_LongTokenOrBytesThatAreNotUtf8_IsRefused()
    {
        Assert.Contains(
            "line 2: the token has 257 characters",
            Assert.Throws<InvalidDataException>(() => Toy("a\n" + new string('b', 257))).Message,
            StringComparison.Ordinal
        );
        var path = directory.Write("tokens.txt", [(byte)'a', 0xC3, (byte)'\n']);
        Assert.Contains(
            "is not UTF-8",
            Assert.Throws<InvalidDataException>(() => GreedyTokenizer.Load(path)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Load_LineEndsDoNotMatter() =>
        Assert.Equal(
            Toy().Encode("the cats"),
            Toy("\uFEFF" + Tokens.TrimEnd().Replace("\n", "\r\n", StringComparison.Ordinal)).Encode("the cats")
        );

    [Fact]
    public void Load_MutatedFiles_LoadOrAreRefused() =>
        Mutations.LoadOrRefuse(
            System.Text.Encoding.UTF8.GetBytes(Tokens),
            seed: 3,
            bytes =>
            {
                var tokenizer = GreedyTokenizer.Load(directory.Write("tokens.txt", bytes));
                Assert.NotNull(tokenizer.Decode([0, tokenizer.VocabularySize - 1]));
            }
        );
}
