using System.Diagnostics;
using System.Text;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

public sealed class TokenizerJsonPropertyTests
{
    public static TheoryData<string> Names => ["bpe-gpt2", "bpe-llama3", "bpe-qwen2", "sp-bpe", "sp-metaspace"];

    [Theory]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-llama3")]
    public void DecodeOfEncode_GivesTheText(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        foreach (string text in GoldenTokenizers.Texts(1, 1500))
            Assert.Equal(GoldenTokenizers.Whole(text), tokenizer.Decode(tokenizer.Encode(text)));
    }

    [Fact]
    public void DecodeOfEncode_OfSentencePiece_GivesTheTextWithItsOwnSpaceAsASpace()
    {
        var tokenizer = GoldenTokenizers.Load("sp-bpe");
        foreach (string text in GoldenTokenizers.Texts(2, 1500))
        {
            // A text that spells a byte piece decodes as the byte.
            if (text.Contains("<0x", StringComparison.Ordinal))
                continue;
            Assert.Equal(GoldenTokenizers.Whole(text).Replace('▁', ' '), tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void DecodeOfEncode_IsStable(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        foreach (string text in GoldenTokenizers.Texts(3, 600))
        {
            if (text.Contains("<0x", StringComparison.Ordinal))
                continue;
            string once = tokenizer.Decode(tokenizer.Encode(text));
            // A leading space is what Metaspace decodes to nothing.
            if (name == "sp-metaspace")
                once = "x" + once;
            Assert.Equal(once, tokenizer.Decode(tokenizer.Encode(once)));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Offsets_LieInTheTextInOrder_AndCoverIt(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        foreach (string text in GoldenTokenizers.Texts(4, 900))
        {
            var encoding = tokenizer.EncodeWithOffsets(text);
            Assert.Equal(encoding.Ids.Length, encoding.Offsets.Length);
            var covered = new bool[text.Length];
            int last = 0;
            foreach (var (start, end) in encoding.Offsets)
            {
                Assert.InRange(start, last, end);
                Assert.InRange(end, start, text.Length);
                Assert.False(
                    start > 0 && start < text.Length && char.IsSurrogatePair(text, start - 1),
                    "a range begins inside of a character"
                );
                Assert.False(end > 0 && end < text.Length && char.IsSurrogatePair(text, end - 1), "a range ends inside of a character");
                last = start;
                covered.AsSpan(start, end - start).Fill(true);
            }

            // Composition leaves the marks that it swallows without a token.
            if (name != "bpe-qwen2")
                Assert.DoesNotContain(false, covered);
        }
    }

    [Theory]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-llama3")]
    [InlineData("bpe-qwen2")]
    public void Offsets_OfAscii_AreTheTokensText(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        foreach (string text in GoldenTokenizers.Texts(5, 900))
        {
            string ascii = new([.. text.Where(char.IsAscii)]);
            var encoding = tokenizer.EncodeWithOffsets(ascii);
            for (int i = 0; i < encoding.Ids.Length; i++)
                Assert.Equal(tokenizer.Decode([encoding.Ids[i]]), ascii[encoding.Offsets[i].Start..encoding.Offsets[i].End]);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void StreamingDecoder_Pieces_JoinToTheText(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        var decoder = new StreamingDecoder(tokenizer);
        foreach (string text in GoldenTokenizers.Texts(6, 600))
        {
            int[] ids = tokenizer.Encode(text);
            string all = tokenizer.Decode(ids);
            var joined = new StringBuilder();
            foreach (int id in ids)
            {
                string piece = decoder.Add(id);
                Assert.False(
                    piece.Length > 0 && (char.IsHighSurrogate(piece[^1]) || char.IsLowSurrogate(piece[0])),
                    "a piece splits a character"
                );
                Assert.True(
                    !piece.Contains('\uFFFD', StringComparison.Ordinal) || all.Contains('\uFFFD', StringComparison.Ordinal),
                    "a piece has half a character"
                );
                joined.Append(piece);
            }

            joined.Append(decoder.Flush());
            Assert.Equal(all, joined.ToString());
        }
    }

    [Fact]
    public void StreamingDecoder_AnyIds_GiveTextInTime()
    {
        var tokenizer = GoldenTokenizers.Load("bpe-gpt2");
        var decoder = new StreamingDecoder(tokenizer);
        var random = new Random(7);
        int[] ids = [.. Enumerable.Range(0, 20_000).Select(_ => random.Next(tokenizer.VocabularySize))];
        int silent = 0,
            immediate = 0;
        foreach (int id in ids)
        {
            bool special = tokenizer.Decode([id]).Length == 0;
            silent = decoder.Add(id).Length > 0 || special ? 0 : silent + 1;
            immediate += silent == 0 ? 1 : 0;
            Assert.InRange(silent, 0, StreamingDecoder.LongestWait);
        }

        // Most of the vocabulary are whole characters, whose text comes at once.
        Assert.True(immediate > ids.Length / 2, $"{immediate} of {ids.Length} tokens gave text at once");
        Assert.Throws<ArgumentException>(() => decoder.Add(tokenizer.VocabularySize));
        _ = decoder.Flush();
        Assert.Equal("", decoder.Flush());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void LongTexts_TakeNoQuadraticTime(string name)
    {
        var tokenizer = GoldenTokenizers.Load(name);
        foreach (
            string text in new[]
            {
                new string('a', 1 << 20),
                new string(' ', 1 << 20),
                new string('é', 1 << 19),
                string.Concat(Enumerable.Repeat("e\u0301", 1 << 18)),
                "a" + new string('\u0301', 1 << 18),
            }
        )
        {
            var watch = Stopwatch.StartNew();
            int[] ids = tokenizer.Encode(text);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(60), $"{text.Length} characters took {watch.Elapsed}");
            if (name is "bpe-gpt2" or "bpe-llama3" or "sp-bpe")
                Assert.Equal(text, tokenizer.Decode(ids));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void LongLine_IsEncodedAsItsParts(string name)
    {
        // Cutting a long piece where no merge reaches across changes nothing: the same words, one text or many.
        var tokenizer = GoldenTokenizers.Load(name);
        string[] words =
        [
            .. Enumerable
                .Range(0, 20_000)
                .Select(i =>
                    i % 3 == 0 ? " reward"
                    : i % 3 == 1 ? " model"
                    : " was"
                ),
        ];
        int[] whole = tokenizer.Encode("x" + string.Concat(words), addSpecialTokens: false);
        int[] head = tokenizer.Encode("x", addSpecialTokens: false);
        int[] three = tokenizer.Encode("x" + string.Concat(words.Take(3)), addSpecialTokens: false)[head.Length..];
        Assert.Equal(head.Concat(Enumerable.Repeat(three, 6666).SelectMany(ids => ids)), whole.Take(head.Length + 6666 * three.Length));
    }

    [Fact]
    public void Threads_ShareATokenizer()
    {
        var tokenizer = GoldenTokenizers.Load("bpe-llama3");
        string[] texts = [.. GoldenTokenizers.Texts(8, 200)];
        int[][] expected = [.. texts.Select(GoldenTokenizers.Load("bpe-llama3").Encode)];
        Parallel.For(
            0,
            8,
            _ =>
            {
                for (int i = 0; i < texts.Length; i++)
                    Assert.Equal(expected[i], tokenizer.Encode(texts[i]));
            }
        );
    }
}
