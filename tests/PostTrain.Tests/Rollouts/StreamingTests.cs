using System.Text;
using PostTrain.Rollouts;
using PostTrain.Tests.Models;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

public sealed class StreamingTests
{
    // Token i is the byte i of a text; decoding is UTF-8.
    private sealed class ByteTokenizer : ITokenizer
    {
        public int VocabularySize => 256;

        public int? EndOfSequenceId => null;

        public int PaddingId => 0;

        public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)];

        public string Decode(ReadOnlySpan<int> ids)
        {
            var bytes = new byte[ids.Length];
            for (var i = 0; i < ids.Length; i++)
                bytes[i] = (byte)ids[i];
            return Encoding.UTF8.GetString(bytes);
        }
    }

    // A model that spells a text whose bytes are all different, whatever happens: each byte is followed by the next.
    private static FixedLogits Spelling(string text)
    {
        byte[] bytes = [1, .. Encoding.UTF8.GetBytes(text)];
        Assert.Equal(bytes.Length, bytes.Distinct().Count());
        var table = new double[256 * 256];
        for (var i = 0; i + 1 < bytes.Length; i++)
            table[bytes[i] * 256 + bytes[i + 1]] = 1000;
        return new FixedLogits(tensor(table, [256, 256]));
    }

    [Fact]
    public async Task StreamAsync_NeverSplitsACharacter()
    {
        const string Text = "aé€😀z";
        using var model = Spelling(Text);
        var pieces = new List<RolloutPiece>();
        await foreach (
            var piece in Sampler.StreamAsync(
                model,
                [
                    [1],
                ],
                new SamplingOptions { MaxNewTokens = 11 },
                0,
                new ByteTokenizer()
            )
        )
            pieces.Add(piece);
        Assert.Equal(["a", "", "é", "", "", "€", "", "", "", "😀", "z"], pieces.Select(piece => piece.Text));
        Assert.Equal([.. Enumerable.Repeat(false, 10), true], pieces.Select(piece => piece.IsLast));
        Assert.False(pieces[^1].Finished);

        // Cut in the middle of a character, the rest comes as the decoder gives it.
        var cut = new StringBuilder();
        await foreach (
            var piece in Sampler.StreamAsync(
                model,
                [
                    [1],
                ],
                new SamplingOptions { MaxNewTokens = 5 },
                0,
                new ByteTokenizer()
            )
        )
            cut.Append(piece.Text);
        Assert.Equal("aé�", cut.ToString());
    }

    [Fact]
    public async Task StreamAsync_IsGenerate_TokenByToken()
    {
        using var model = TinyModels.Create("llama");
        var tokenizer = new CharacterTokenizer("0123456789+=abcdefghi");
        int[][] prompts =
        [
            [3, 1, 4],
            [1, 5],
            [9, 2, 6, 5, 3],
        ];
        var options = new SamplingOptions
        {
            MaxNewTokens = 12,
            StopTokens = [8, 9, 10],
            SuppressedTokens = [21, 22],
        };
        using var batch = Sampler.Generate(model, prompts, options, 4, tokenizer);
        var tokens = prompts.Select(_ => new List<int>()).ToArray();
        var texts = prompts.Select(_ => new StringBuilder()).ToArray();
        await foreach (var piece in Sampler.StreamAsync(model, prompts, options, 4, tokenizer))
        {
            tokens[piece.Row].Add(piece.Token);
            texts[piece.Row].Append(piece.Text);
            Assert.Equal(tokens[piece.Row].Count == batch.Completions[piece.Row].Length, piece.IsLast);
            Assert.Equal(piece.IsLast && batch.Finished[piece.Row], piece.Finished);
        }

        for (var row = 0; row < prompts.Length; row++)
        {
            Assert.Equal(batch.Completions[row], tokens[row]);
            Assert.Equal(tokenizer.Decode(batch.Completions[row]), texts[row].ToString());
        }
    }

    [Fact]
    public async Task StreamAsync_Cancelled_ThrowsBetweenTokens()
    {
        using var model = Spelling("abcdefgh");
        using var source = new CancellationTokenSource();
        var count = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (
                var piece in Sampler.StreamAsync(
                    model,
                    [
                        [1],
                    ],
                    new SamplingOptions { MaxNewTokens = 8 },
                    0,
                    new ByteTokenizer(),
                    source.Token
                )
            )
            {
                if (++count == 3)
                    source.Cancel();
            }
        });
        Assert.Equal(3, count);
    }

    [Theory]
    [InlineData("cd", "abcd")]
    [InlineData("é€", "abcdé€")]
    [InlineData("b", "ab")]
    public void StopStrings_EndAcrossTokenBorders(string stop, string expected)
    {
        using var model = Spelling("abcdé€xyz");
        var tokenizer = new ByteTokenizer();
        using var batch = Sampler.Generate(
            model,
            [
                [1],
                [(int)'b'],
            ],
            new SamplingOptions { MaxNewTokens = 10, StopStrings = ["never", stop] },
            0,
            tokenizer
        );
        Assert.Equal(expected, tokenizer.Decode(batch.Completions[0]));
        Assert.True(batch.Finished[0]);
        // The prompt is not looked through.
        Assert.Equal(stop == "b" ? "cdé€xyz" : expected[2..], tokenizer.Decode(batch.Completions[1]));
    }

    [Fact]
    public void StopStrings_WithoutATokenizer_AreRefused()
    {
        using var model = Spelling("abc");
        var error = Assert.Throws<ArgumentException>(() =>
            Sampler.Generate(
                model,
                [
                    [1],
                ],
                new SamplingOptions { StopStrings = ["b"] },
                0,
                0
            )
        );
        Assert.Contains("no tokenizer", error.Message, StringComparison.Ordinal);
        Assert.ThrowsAny<ArgumentException>(() =>
            Sampler.Generate(
                model,
                [
                    [1],
                ],
                new SamplingOptions { StopStrings = [""] },
                0,
                new ByteTokenizer()
            )
        );
    }
}
