using System.Text;
using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Tests.Support;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.Tests.Text;

public sealed class TokenizerJsonTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void WordPiece_TakesTheLongestTokensThatFit()
    {
        var tokenizer = TokenizerJsonSamples.Load("bert");
        Assert.Equal([1, 3, 4, 5, 7, 2], tokenizer.Encode("UNaffable!", addSpecialTokens: true));
        // The accent goes, the Chinese character stands alone, "played" has no token for "ed", eleven characters are over the limit of ten.
        var encoding = tokenizer.EncodeWithOffsets("Cafe\u0301中played unaffableun");
        Assert.Equal([6, 8, 0, 0], encoding.Ids);
        Assert.Equal([(0, 4), (5, 6), (6, 12), (13, 24)], encoding.Offsets);
        Assert.Equal("unaffable! playing", tokenizer.Decode([1, 3, 4, 5, 7, 9, 10, 2]));
        Assert.Equal("[CLS] un [SEP]", tokenizer.Decode([1, 3, 2], skipSpecialTokens: false));
    }

    [Fact]
    public void Pair_HasTypesAndSpecialTokens()
    {
        var pair = TokenizerJsonSamples.Load("bert").EncodePair("play", "un able");
        Assert.Equal([1, 9, 2, 3, 0, 2], pair.Ids);
        Assert.Equal([0, 0, 0, 1, 1, 1], pair.TypeIds);
        Assert.Equal([true, false, true, false, false, true], pair.Special);
        Assert.Equal([(0, 0), (0, 4), (0, 0), (0, 2), (3, 7), (0, 0)], pair.Offsets);
    }

    [Theory]
    [InlineData(6, 1, 2)]
    [InlineData(5, 1, 1)]
    [InlineData(4, 0, 1)]
    [InlineData(3, 0, 0)]
    public void Pair_Truncation_TakesFromTheLongerText(int maximum, int first, int second)
    {
        var pair = TokenizerJsonSamples.Load("bert").EncodePair("play", "un un un", new EncodingOptions { MaximumLength = maximum });
        Assert.Equal([1, .. Enumerable.Repeat(9, first), 2, .. Enumerable.Repeat(3, second), 2], pair.Ids);
        Assert.Throws<ArgumentException>(() =>
            TokenizerJsonSamples.Load("bert").EncodePair("a", "b", new EncodingOptions { MaximumLength = 2 })
        );
    }

    [Fact]
    public void Unigram_TakesTheBestSum()
    {
        var tokenizer = TokenizerJsonSamples.Load("unigram");
        // ▁ab + cd = −3 beats ▁ + ab + cd = −3.1 and ▁ + abc + d = −6.
        Assert.Equal([9, 6], tokenizer.Encode("abcd"));
        // Unknown neighbours are one token.
        var encoding = tokenizer.EncodeWithOffsets("cxxd c");
        Assert.Equal([1, 4, 0, 5, 1, 4], encoding.Ids);
        Assert.Equal([(0, 1), (0, 1), (1, 3), (3, 4), (4, 5), (5, 6)], encoding.Offsets);
        Assert.Equal("ab cd", tokenizer.Decode([9, 1, 6]));
    }

    [Fact]
    public void WordLevel_SplitsOffDigitsAndPunctuation()
    {
        var tokenizer = TokenizerJsonSamples.Load("words");
        Assert.Equal([1, 3, 5, 7, 6, 6, 4, 0, 2], tokenizer.Encode("a12 --b zz", addSpecialTokens: true));
        Assert.Equal("<s> a", tokenizer.Decode([1, 3]));
    }

    [Fact]
    public void WordSuffix_MarksTheLastCharacter()
    {
        var tokenizer = TokenizerJsonSamples.Load("suffix");
        var encoding = tokenizer.EncodeWithOffsets("  LÒW  lo ");
        Assert.Equal([6, 1, 7], encoding.Ids);
        Assert.Equal([(2, 5), (7, 8), (8, 9)], encoding.Offsets);
        Assert.Equal("low lo", tokenizer.Decode([6, 1, 7]));
    }

    [Fact]
    public void HalfASurrogatePair_IsReadAsTheReplacementCharacter()
    {
        var tokenizer = GoldenTokenizers.Load("bpe-gpt2");
        foreach (string text in new[] { "\ud800", "a\udc00b", "\udc00\ud800", "\ud83d😀" })
        {
            Assert.Equal(tokenizer.Encode(GoldenTokenizers.Whole(text)), tokenizer.Encode(text));
            Assert.Equal(text.Length, tokenizer.EncodeWithOffsets(text).Offsets[^1].End);
        }
    }

    [Fact]
    public void Batch_PadsAndMasks()
    {
        var tokenizer = TokenizerJsonSamples.Load(
            "bert",
            new TokenizerConfig
            {
                Padding = "[UNK]",
                PaddingSide = PaddingSide.Left,
                TruncationSide = TruncationSide.Left,
            }
        );
        var batch = tokenizer.EncodeBatch(["un play play", "un"], new EncodingOptions { MaximumLength = 4, PadToMultipleOf = 3 });
        TensorAssert.Close([0, 0, 1, 9, 9, 2, 0, 0, 0, 1, 3, 2], tensor(batch.Ids), 0);
        TensorAssert.Close([0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1], tensor(batch.AttentionMask), 0);
        TensorAssert.Close([1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1], tensor(batch.SpecialTokensMask), 0);
        TensorAssert.Zero(tensor(batch.TypeIds));
        var right = tokenizer.EncodeBatch(
            ["un play play"],
            new EncodingOptions
            {
                MaximumLength = 6,
                PadToMaximumLength = true,
                AddSpecialTokens = false,
                PaddingSide = PaddingSide.Right,
            }
        );
        TensorAssert.Close([3, 9, 9, 0, 0, 0], tensor(right.Ids), 0);
        Assert.Throws<ArgumentException>(() => tokenizer.EncodeBatch(["a"], new EncodingOptions { PadToMaximumLength = true }));
        Assert.Throws<ArgumentException>(() => tokenizer.EncodeBatch([]));
    }

    [Theory]
    [InlineData(null, null, new[] { 1, 3, 2 }, new[] { 1, 3 })]
    [InlineData(false, null, new[] { 3, 2 }, new[] { 3 })]
    [InlineData(false, false, new[] { 3 }, new[] { 3 })]
    [InlineData(true, false, new[] { 1, 3 }, new[] { 1, 3 })]
    public void Configuration_SaysWhatIsAdded_AndEncodeAppendsNoEnd(bool? beginning, bool? end, int[] all, int[] withoutEnd)
    {
        var tokenizer = TokenizerJsonSamples.Load(
            "bert",
            new TokenizerConfig
            {
                BeginningOfSequence = "[CLS]",
                EndOfSequence = "[SEP]",
                AddsBeginning = beginning,
                AddsEnd = end,
            }
        );
        Assert.Equal(all, tokenizer.Encode("un", addSpecialTokens: true));
        Assert.Equal(withoutEnd, tokenizer.Encode("un"));
        Assert.Equal([3, 2], tokenizer.Encode("un [SEP]", addSpecialTokens: false));
    }

    [Fact]
    public void Configuration_IsReadBesideTheFile()
    {
        directory.Write(TokenizerJson.FileName, TokenizerJsonSamples.All["bert"]);
        directory.Write(
            TokenizerConfig.FileName,
            """
            {"bos_token":{"content":"[CLS]","lstrip":false},"eos_token":"[SEP]","pad_token":null,"clean_up_tokenization_spaces":true,"padding_side":"left",
             "model_max_length":1000000000000000019884624838656}
            """
        );
        var tokenizer = Assert.IsType<TokenizerJson>(TokenizerFiles.Load(directory.Path));
        Assert.Equal(
            (1, 2, 2, 11),
            (tokenizer.BeginningOfSequenceId!.Value, tokenizer.EndOfSequenceId!.Value, tokenizer.PaddingId, tokenizer.VocabularySize)
        );
        Assert.True(tokenizer.Config is { CleansUpSpaces: true, PaddingSide: PaddingSide.Left, MaximumLength: null });
        Assert.Equal(("##able", 5), (tokenizer.TokenOf(5), tokenizer.IdOf("##able")));
        Assert.Null(tokenizer.IdOf("nothing"));
    }

    [Fact]
    public void Template_ThatAppendsTheEnd_IsKeptByTheOptionsOnly()
    {
        var tokenizer = TokenizerJsonSamples.Load("words", new TokenizerConfig { EndOfSequence = "</s>" });
        Assert.Equal([1, 3], tokenizer.Encode("a"));
        Assert.Equal([1, 3, 2], tokenizer.EncodeWithOffsets("a", addSpecialTokens: true).Ids);
    }

    [Theory]
    [InlineData("$.model.dropout", "0.1", "expected no dropout")]
    [InlineData("$.model.type", "\"Markov\"", "has the type Markov")]
    [InlineData("$.model.merges", "[[\"l\",\"z\"]]", "merges 'l' and 'z'")]
    [InlineData("$.model.merges", "[\"l o w\"]", "expected two tokens")]
    [InlineData("$.model.vocab", "{\"a\":-1}", "the id -1")]
    [InlineData("$.model.vocab", "{\"a\":16000000}", "few gaps")]
    [InlineData("$.model.vocab", "[]", "expected an object")]
    [InlineData("$.model", "null", "has no model")]
    [InlineData("$.normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA==\"}", "compiled table of SentencePiece")]
    [InlineData("$.normalizer", "{\"type\":\"Nmt\"}", "has the type Nmt")]
    [InlineData("$.pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", "has the type UnicodeScripts")]
    [InlineData(
        "$.pre_tokenizer",
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a)\\\\1\"},\"behavior\":\"Isolated\",\"invert\":false}",
        "\\1 is not supported"
    )]
    [InlineData(
        "$.pre_tokenizer",
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Kept\",\"invert\":false}",
        "expected Removed"
    )]
    [InlineData("$.decoder", "{\"type\":\"CTC\"}", "has the type CTC")]
    [InlineData("$.post_processor", "{\"type\":\"BertProcessing\",\"sep\":[\"x\",900],\"cls\":[\"y\",1]}", "adds the id 900")]
    [InlineData("$.added_tokens", "{}", "expected an array")]
    public void UnsupportedAndBroken_IsRefusedByName(string place, string value, string part)
    {
        var root = JsonNode.Parse(TokenizerJsonSamples.All["suffix"])!.AsObject();
        string[] path = place[2..].Split('.');
        var parent = path.Length == 1 ? root : root[path[0]]!.AsObject();
        parent[path[^1]] = JsonNode.Parse(value);
        directory.Write(TokenizerJson.FileName, Encoding.UTF8.GetBytes(root.ToJsonString()));
        var error = Assert.Throws<InvalidDataException>(() => TokenizerJson.Load(directory.Path));
        Assert.StartsWith(directory.File(TokenizerJson.FileName), error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MergesAsPairsOrTexts_AreTheSame()
    {
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenTokenizers.Directory("bpe-gpt2"), TokenizerJson.FileName)))!;
        var merges = root["model"]!["merges"]!.AsArray();
        root["model"]!["merges"] = new JsonArray(["#version: 0.2", .. merges.Select(pair => (JsonNode)$"{pair![0]} {pair[1]}")]);
        var legacy = TokenizerJson.Parse(Encoding.UTF8.GetBytes(root.ToJsonString()));
        var tokenizer = GoldenTokenizers.Load("bpe-gpt2");
        foreach (string text in GoldenTokenizers.Texts(11, 100))
            Assert.Equal(tokenizer.Encode(text), legacy.Encode(text));
    }

    [Fact]
    public void IdOutsideOfTheVocabulary_IsRefused()
    {
        var tokenizer = TokenizerJsonSamples.Load("unigram");
        Assert.Contains(
            "ids[1] is 10",
            Assert.Throws<ArgumentException>(() => tokenizer.Decode([1, 10])).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => tokenizer.TokenOf(-1));
    }
}
