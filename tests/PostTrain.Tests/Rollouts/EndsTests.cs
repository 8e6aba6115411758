using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Beams;
using PostTrain.Tests.Golden;
using PostTrain.Tests.Support;
using PostTrain.Tests.Text;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Rollouts;

/// <summary>Ends of generation: all that the files of a model name, and stop strings that are special tokens.</summary>
public sealed class EndsTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("""{"eos_token_id": [1, 7]}""", """{"eos_token_id": 9, "vocab_size": 10}""", new[] { 2, 1, 7, 9 })]
    [InlineData("""{"eos_token_id": 2}""", null, new[] { 2 })]
    [InlineData("""{"eos_token_id": null}""", """{}""", new[] { 2 })]
    [InlineData(null, """{"eos_token_id": -1}""", new[] { 2 })]
    [InlineData(null, """{"eos_token_id": [1, 123456]}""", new[] { 2, 1 })]
    [InlineData(null, null, new[] { 2 })]
    public void Tokenizer_KnowsTheEndsOfTheFilesBesideIt(string? generation, string? config, int[] expected)
    {
        File.Copy(Path.Combine(GoldenTokenizers.Directory("sp-bpe"), TokenizerJson.FileName), directory.File(TokenizerJson.FileName));
        File.Copy(Path.Combine(GoldenTokenizers.Directory("sp-bpe"), TokenizerConfig.FileName), directory.File(TokenizerConfig.FileName));
        if (generation is not null)
            directory.Write("generation_config.json", generation);
        if (config is not null)
            directory.Write("config.json", config);
        var tokenizer = TokenizerJson.Load(directory.Path);
        Assert.Equal(2, tokenizer.EndOfSequenceId);
        Assert.Equal(expected, tokenizer.EndOfSequenceIds);
    }

    [Theory]
    [InlineData("""{"eos_token_id": "</s>"}""", "expected a token id or a list of them")]
    [InlineData("[1]", "expected an object")]
    [InlineData("{", "is not JSON")]
    public void Tokenizer_BesideABrokenFile_NamesIt(string generation, string reason)
    {
        File.Copy(Path.Combine(GoldenTokenizers.Directory("sp-bpe"), TokenizerJson.FileName), directory.File(TokenizerJson.FileName));
        directory.Write("generation_config.json", generation);
        string message = Assert.Throws<InvalidDataException>(() => TokenizerJson.Load(directory.Path)).Message;
        Assert.Contains("generation_config.json", message, StringComparison.Ordinal);
        Assert.Contains(reason, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Model_KnowsTheEndsOfBothFiles()
    {
        using (var made = Toy.Model())
            Pretrained.Save(made, directory.Path);
        directory.Write("generation_config.json", """{"eos_token_id": [3, 5]}""");
        using var model = Pretrained.Load(directory.Path);
        Assert.Equal([.. model.Config.EndOfSequenceIds, 3, 5], model.EndOfSequenceIds);
        Assert.Equal(
            [.. ((ITokenizer)Toy.Tokenizer).EndOfSequenceIds, .. model.EndOfSequenceIds],
            new SamplingOptions().StoppingAt(model, Toy.Tokenizer).StopTokens
        );
        Assert.Equal(
            [8],
            new SamplingOptions { StopTokens = [8] }
                .StoppingAt(model, Toy.Tokenizer)
                .StopTokens
        );
    }

    // Ends 1 and 7 of the configuration; with nearly even odds, 64 completions meet both.
    [Fact]
    public async Task Rollouts_EndAtEveryEnd()
    {
        using var model = Decoder.Create(
            new DecoderConfig
            {
                VocabularySize = Toy.Tokenizer.VocabularySize,
                ContextLength = 32,
                HiddenSize = 16,
                Layers = 1,
                Heads = 2,
                FeedForwardSize = 32,
                EndOfSequenceIds = [1, 7],
            },
            1
        );
        int[] ends = [.. ((ITokenizer)Toy.Tokenizer).EndOfSequenceIds, 1, 7];
        var seen = new List<Completion>();
        var reward = Reward.OfAll(
            "seen",
            (completions, _, _) =>
            {
                seen.AddRange(completions);
                return ValueTask.FromResult(completions.Select(_ => 1.0).ToArray());
            }
        );
        var options = new GrpoOptions
        {
            Steps = 1,
            BatchSize = 4,
            GroupSize = 16,
            Sampling = new SamplingOptions { MaxNewTokens = 20 },
        };
        using var trainer = new GrpoTrainer(model, Toy.Tokenizer, reward, options);
        await foreach (var _ in trainer.RunAsync([new Problem("1+1="), new Problem("2=")])) { }
        Assert.All(
            seen,
            completion =>
            {
                Assert.DoesNotContain(completion.Tokens[..^1], token => ends.Contains(token));
                Assert.Equal(ends.Contains(completion.Tokens[^1]), completion.Finished);
            }
        );
        Assert.Contains(seen, completion => completion.Tokens[^1] == 1);
        Assert.Contains(seen, completion => completion.Tokens[^1] == 7);
        Assert.Contains(seen, completion => completion.Finished);
    }

    // Of the tokenizer sp-bpe, 2 is </s>: special, and no text of a decoded completion.
    [Theory]
    [InlineData("</s>")]
    [InlineData("b</s>")]
    public async Task StopStrings_MayBeSpecialTokens(string stop)
    {
        var tokenizer = GoldenTokenizers.Load("sp-bpe");
        int[] script = [.. tokenizer.Encode("ab", addSpecialTokens: false), 2, .. Enumerable.Range(300, 3)];
        using var model = Following(tokenizer.VocabularySize, [1, .. script]);
        int[] expected = script[..(Array.IndexOf(script, 2) + 1)];
        var options = new SamplingOptions
        {
            Temperature = 0,
            MaxNewTokens = script.Length,
            StopStrings = [stop],
        };
        using var batch = Sampler.Generate(
            model,
            [
                [1],
                [4, 1],
            ],
            options,
            0,
            tokenizer
        );
        Assert.All(batch.Completions, completion => Assert.Equal(expected, completion));
        Assert.All(batch.Finished, Assert.True);

        var pieces = new List<RolloutPiece>();
        await foreach (
            var piece in Sampler.StreamAsync(
                model,
                [
                    [1],
                ],
                options,
                0,
                tokenizer
            )
        )
            pieces.Add(piece);
        Assert.Equal(expected, pieces.Select(piece => piece.Token));
        Assert.True(pieces[^1] is { IsLast: true, Finished: true });

        var found = BeamSearch.Generate(
            model,
            [
                [1],
            ],
            new BeamOptions { Beams = 2 },
            options,
            tokenizer
        )[0][0];
        Assert.Equal(expected, found.Tokens);
        Assert.True(found.Finished);
        Assert.Throws<ArgumentException>(() =>
            BeamSearch.Generate(
                model,
                [
                    [1],
                ],
                new BeamOptions { Beams = 2 },
                options,
                tokenizer.PaddingId
            )
        );
    }

    // The project's own tokenizers spell their marks, too.
    [Fact]
    public void StopStrings_MayBeTheEndOfACharacterTokenizer()
    {
        var tokenizer = new CharacterTokenizer("ab", ["<pad>", "<end>"], "<pad>", "<end>");
        using var model = Following(
            tokenizer.VocabularySize,
            [tokenizer.IdOf("<pad>"), .. tokenizer.Encode("a"), tokenizer.IdOf("<end>"), .. tokenizer.Encode("b")]
        );
        using var batch = Sampler.Generate(
            model,
            [
                [0],
            ],
            new SamplingOptions
            {
                Temperature = 0,
                MaxNewTokens = 4,
                StopStrings = ["<end>"],
            },
            0,
            tokenizer
        );
        Assert.Equal("a<end>", tokenizer.Decode(batch.Completions[0], skipSpecialTokens: false));
        Assert.Equal("a", tokenizer.Decode(batch.Completions[0]));
        Assert.True(batch.Finished[0]);
    }

    [Fact]
    public void BeamSearch_EndsAtStopStringsAcrossTokens()
    {
        var tokenizer = GoldenTokenizers.Load("sp-bpe");
        int[] script = tokenizer.Encode("one two three", addSpecialTokens: false);
        using var model = Following(tokenizer.VocabularySize, [1, .. script.Distinct()]);
        var found = BeamSearch.Generate(
            model,
            [
                [1],
            ],
            new BeamOptions { Beams = 2 },
            new SamplingOptions { MaxNewTokens = 12, StopStrings = ["e t"] },
            tokenizer
        )[0][0];
        Assert.True(found.Finished);
        string text = tokenizer.Decode([.. found.Tokens]),
            before = tokenizer.Decode([.. found.Tokens.SkipLast(1)]);
        Assert.Contains("e t", text, StringComparison.Ordinal);
        Assert.DoesNotContain("e t", before, StringComparison.Ordinal);
    }

    private static FixedLogits Following(int vocabulary, int[] tokens)
    {
        Assert.Equal(tokens.Length, tokens.Distinct().Count());
        var table = new double[vocabulary * vocabulary];
        for (int i = 0; i + 1 < tokens.Length; i++)
            table[tokens[i] * vocabulary + tokens[i + 1]] = 30;
        return new FixedLogits(tensor(table, [vocabulary, vocabulary]));
    }
}
