using System.Text;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

public sealed class SentencePieceTokenizerTests : IDisposable
{
    private const int FirstPiece = 259; // 3 control pieces, 256 bytes
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private static byte[] Vocabulary(bool withBytes, params (float Score, string Piece)[] pieces)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(16);
        var all = new List<(float Score, string Piece)> { (0, "<unk>"), (0, "\n<s>\n"), (0, "\n</s>\n") };
        if (withBytes)
            all.AddRange(Enumerable.Range(0, 256).Select(value => (0f, $"<0x{value:X2}>")));
        foreach (var (score, piece) in all.Concat(pieces))
        {
            writer.Write(score);
            writer.Write(Encoding.UTF8.GetByteCount(piece));
            writer.Write(Encoding.UTF8.GetBytes(piece));
        }

        writer.Flush();
        return stream.ToArray();
    }

    private SentencePieceTokenizer Load(byte[] file) => SentencePieceTokenizer.Load(directory.Write("tok.bin", file));

    private SentencePieceTokenizer Toy() =>
        Load(
            Vocabulary(
                true,
                (-9, " "),
                (-9, "a"),
                (-9, "b"),
                (-9, "c"),
                (-2, "ab"),
                (-1, "bc"),
                (-3, " a"),
                (-4, "abc"),
                (-1.5f, "aa"),
                (-9, "é"),
                (-9, "<"),
                (-9, "0"),
                (-9, "x"),
                (-9, "A"),
                (-9, ">"),
                (-9, "<0"),
                (-9, "x0"),
                (-9, "A>")
            )
        );

    [Theory]
    // " abc": "bc" (-1) merges first, then " a" (-3); " abc" is no piece, "abc" (-4) would need "a" free
    [InlineData("abc", new[] { 1, 6, 5 })]
    [InlineData("ab", new[] { 1, 0, 4 })] // " ab": "ab" (-2) before " a" (-3)
    [InlineData("aaa", new[] { 1, 0, 8, 1 })] // the leftmost of two equal "aa"
    [InlineData("é", new[] { 1, 0, 9 })]
    [InlineData("", new[] { 1 })]
    public void Encode_MergesTheBestPairFirst(string text, int[] offsets)
    {
        // Offsets after the beginning id count from the first piece of the toy.
        int[] expected = [1, .. offsets[1..].Select(offset => FirstPiece + offset)];
        Assert.Equal(expected, Toy().Encode(text));
    }

    [Fact]
    public void Encode_FallsBackToBytes_AndTextThatSpellsAByteIsText()
    {
        Assert.Equal([1, FirstPiece, 3 + 0xC3, 3 + 0xBC, 3 + (byte)'\n'], Toy().Encode("ü\n"));
        Assert.DoesNotContain(3 + (byte)'\n', Toy().Encode("<0x0A>"));
        Assert.Equal("<0x0A>", Toy().Decode(Toy().Encode("<0x0A>")));
    }

    [Fact]
    public void Encode_ForAContinuation_HasNeitherBeginningNorSpace()
    {
        Assert.Equal([FirstPiece + 4], Toy().Encode("ab", beginningOfSequence: false, leadingSpace: false));
        Assert.Equal([FirstPiece, FirstPiece + 4], Toy().Encode("ab", beginningOfSequence: false));
    }

    [Fact]
    public void Decode_RemovesOnlyTheSpaceAfterTheBeginning()
    {
        Assert.Equal("ab", Toy().Decode([1, FirstPiece, FirstPiece + 4]));
        Assert.Equal(" ab", Toy().Decode([FirstPiece, FirstPiece + 4]));
        Assert.Equal("ab ab", Toy().Decode([1, FirstPiece, FirstPiece + 4, FirstPiece, FirstPiece + 4, 1, 2]));
        Assert.Equal("\uFFFD", Toy().Decode([3 + 0xC3]));
        Assert.Contains("ids[0] is 277", Assert.Throws<ArgumentException>(() => Toy().Decode([277])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Encode_WithoutBytePieces_GivesUnknown() =>
        Assert.Equal([1, 3, 0, 4], Load(Vocabulary(false, (0, " "), (0, "a"))).Encode("?a"));

    [Fact]
    public void RoundTrip_AnyValidUtf8()
    {
        var tokenizer = Toy();
        var random = new Random(4);
        for (var i = 0; i < 3000; i++)
        {
            var text = new StringBuilder();
            for (var length = random.Next(40); length > 0; length--)
            {
                var value = random.Next(4) switch
                {
                    0 => random.Next(128),
                    1 => random.Next(0xD800),
                    2 => random.Next(0xE000, 0x110000),
                    _ => " abc<0xA>"[random.Next(9)],
                };
                text.Append(new Rune(value));
            }

            Assert.Equal(text.ToString(), tokenizer.Decode(tokenizer.Encode(text.ToString())));
        }
    }

    [Fact]
    public void Encode_AgreesWithTheScanThatItReplaces()
    {
        // llama2.c's loop: look at every pair, merge the best, begin again. It works on the pieces' texts.
        (float Score, string Piece)[] pieces =
        [
            (-9, " "),
            (-9, "a"),
            (-9, "b"),
            (-2, "ab"),
            (-2, "ba"),
            (-1, "aa"),
            (-3, "aab"),
            (-3, " a"),
            (-0.5f, "abab"),
            (-4, " aab"),
        ];
        var tokenizer = Load(Vocabulary(true, pieces));
        var scores = pieces.ToDictionary(piece => piece.Piece, piece => piece.Score);
        var random = new Random(5);
        for (var i = 0; i < 1000; i++)
        {
            var text = string.Concat(random.GetItems<string>([" ", "a", "b"], random.Next(1, 25)));
            var parts = (" " + text).Select(character => character.ToString()).ToList();
            while (true)
            {
                var (best, at) = (float.NegativeInfinity, -1);
                for (var k = 0; k + 1 < parts.Count; k++)
                {
                    if (scores.TryGetValue(parts[k] + parts[k + 1], out var score) && score > best)
                        (best, at) = (score, k);
                }

                if (at < 0)
                    break;
                parts[at] += parts[at + 1];
                parts.RemoveAt(at + 1);
            }

            Assert.Equal(
                parts.Select(part => FirstPiece + Array.FindIndex(pieces, piece => piece.Piece == part)),
                tokenizer.Encode(text, beginningOfSequence: false)
            );
        }
    }

    [Fact]
    public void Encode_LongText_IsNotQuadratic()
    {
        // 400,000 characters that all merge; a scan of all pairs for each merge would take hours.
        var ids = Toy().Encode(new string('a', 400_000));
        Assert.Equal(1 + 1 + 200_000, ids.Length);
    }

    [Theory]
    [InlineData(0, "the longest length, expected 1 to 65536")]
    [InlineData(int.MaxValue, "gives 2147483647 as the longest length")]
    public void Load_HostileLongestLength_IsRefused(int longest, string part)
    {
        var file = Vocabulary(false, (0, "a"));
        BitConverter.GetBytes(longest).CopyTo(file, 0);
        Assert.Contains(part, Assert.Throws<InvalidDataException>(() => Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_BrokenPieces_AreNamed()
    {
        var file = Vocabulary(false, (0, "abc"));
        Assert.Contains(
            "piece 3 has the length 3, but the file ends after 2 bytes",
            Assert.Throws<InvalidDataException>(() => Load(file[..^1])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "ends within piece 3",
            Assert.Throws<InvalidDataException>(() => Load(file[..^4])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains("has 3 bytes", Assert.Throws<InvalidDataException>(() => Load(file[..3])).Message, StringComparison.Ordinal);
        Assert.Contains("has 0 pieces", Assert.Throws<InvalidDataException>(() => Load(file[..4])).Message, StringComparison.Ordinal);
        Assert.Contains(
            "the score NaN",
            Assert.Throws<InvalidDataException>(() => Load(Vocabulary(false, (float.NaN, "a")))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "piece 3 has the length 17, expected 1 to 16",
            Assert.Throws<InvalidDataException>(() => Load(Vocabulary(false, (0, new string('a', 17))))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "piece 3 has the length 0",
            Assert.Throws<InvalidDataException>(() => Load(Vocabulary(false, (0, "")))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Load_MutatedFiles_LoadOrAreRefused() =>
        Mutations.LoadOrRefuse(
            Vocabulary(false, (-1, " "), (-2, "a"), (-3, " a"), (-4, "é"), (0, "<0x0A>")),
            seed: 6,
            bytes =>
            {
                var tokenizer = Load(bytes);
                Assert.NotNull(tokenizer.Decode(tokenizer.Encode("a é\n a")));
            }
        );
}
