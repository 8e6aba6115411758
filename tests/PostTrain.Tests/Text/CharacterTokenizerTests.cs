using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

public sealed class CharacterTokenizerTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private static CharacterTokenizer Toy() => new("0123456789+= <>/ansüw😀", ["<pad>", "<eos>", "<answer>", "</answer>", "<a"]);

    [Fact]
    public void Encode_TakesTheLongestSpecialTokenThenCharacters()
    {
        var tokenizer = Toy();
        // Specials 0-4, then the alphabet from 5: '1' = 6, '<' = 18, 'a' = 21, emoji = 26.
        Assert.Equal([2, 6, 3, 1], tokenizer.Encode("<answer>1</answer><eos>"));
        Assert.Equal([4, 22, 18, 26], tokenizer.Encode("<an<😀"));
        Assert.Equal(27, tokenizer.VocabularySize);
        Assert.Equal(3, tokenizer.IdOf("</answer>"));
    }

    [Fact]
    public void Decode_LeavesOutPaddingAndEnd() => Assert.Equal("<answer>1", Toy().Decode([0, 2, 6, 1, 0]));

    [Fact]
    public void Constructor_AddsPaddingAndEndInFront()
    {
        var tokenizer = new CharacterTokenizer("ab", ["<think>"]);
        Assert.Equal((0, 1, 5), (tokenizer.PaddingId, tokenizer.EndOfSequenceId, tokenizer.VocabularySize));
        Assert.Null(new CharacterTokenizer("ab", endOfSequence: null).EndOfSequenceId);
    }

    [Fact]
    public void RoundTrip_RandomTextsOverTheAlphabet()
    {
        var tokenizer = Toy();
        var random = new Random(1);
        var parts = tokenizer.Alphabet.EnumerateRunes().Select(rune => rune.ToString()).Concat(tokenizer.SpecialTokens.Skip(2)).ToArray();
        for (var i = 0; i < 2000; i++)
        {
            var text = string.Concat(random.GetItems(parts, random.Next(40)));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [InlineData("12x4", "'x' (U+0078) at position 2")]
    [InlineData("😀😁", "(U+1F601) at position 2")]
    public void Encode_UnknownCharacter_NamesItAndItsPosition(string text, string part) =>
        Assert.Contains(part, Assert.Throws<ArgumentException>(() => Toy().Encode(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Encode_HalfASurrogatePair_IsUnknown() =>
        Assert.Contains(
            "(U+D83D) at position 1",
            Assert.Throws<ArgumentException>(() => Toy().Encode("1\ud83d")).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(-1)]
    [InlineData(27)]
    public void Decode_IdOutsideTheVocabulary_NamesIt(int id) =>
        Assert.Contains(
            $"ids[1] is {id}, expected an id from 0 to 26",
            Assert.Throws<ArgumentException>(() => Toy().Decode([5, id])).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Constructor_RefusesDoubles()
    {
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("aba"));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("ab", ["<x>", "<x>"]));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("ab", ["a"]));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("ab", [""]));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("a\ud83d"));
        Assert.Throws<ArgumentException>(() => new CharacterTokenizer("ab", padding: "<eos>"));
    }

    [Fact]
    public void SaveAndLoad_GiveTheSameIds()
    {
        var tokenizer = Toy();
        tokenizer.Save(directory.Path);
        var loaded = Assert.IsType<CharacterTokenizer>(TokenizerFiles.Load(directory.Path));
        Assert.Equal(tokenizer.Encode("<answer>12 ü😀</answer>"), loaded.Encode("<answer>12 ü😀</answer>"));
        Assert.Equal(
            (tokenizer.VocabularySize, tokenizer.PaddingId, tokenizer.EndOfSequenceId),
            (loaded.VocabularySize, loaded.PaddingId, loaded.EndOfSequenceId)
        );
        Assert.Equal([CharacterTokenizer.FileName], Directory.GetFiles(directory.Path).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"format":"other","alphabet":"ab","specialTokens":[],"padding":"<pad>","endOfSequence":null}""")]
    [InlineData("""{"format":"posttrain-character-tokenizer","alphabet":"aa","specialTokens":[],"padding":"<pad>","endOfSequence":null}""")]
    [InlineData("""{"format":"posttrain-character-tokenizer","alphabet":null,"specialTokens":[],"padding":"<pad>","endOfSequence":null}""")]
    [InlineData(
        """{"format":"posttrain-character-tokenizer","alphabet":"ab","specialTokens":[null],"padding":"<pad>","endOfSequence":null}"""
    )]
    [InlineData("""{"format":"posttrain-character-tokenizer","alphabet":"ab","specialTokens":7,"padding":"<pad>","endOfSequence":null}""")]
    public void Load_BrokenFile_NamesIt(string json)
    {
        var path = directory.Write(CharacterTokenizer.FileName, json);
        Assert.Contains(
            path,
            Assert.Throws<InvalidDataException>(() => CharacterTokenizer.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
    }
}
