using System.Text.Json;
using PostTrain.Tests.Support;
using PostTrain.Text;

namespace PostTrain.Tests.Text;

public sealed class TokenizerFilesTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Load_NothingThere_ListsWhatWasLookedFor()
    {
        Assert.Contains(
            "looked for tokenizer.posttrain.json, tokenizer.json, tokens.txt and tok*.bin",
            Assert.Throws<FileNotFoundException>(() => TokenizerFiles.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<DirectoryNotFoundException>(() => TokenizerFiles.Load(directory.File("none")));
    }

    [Fact]
    public void Load_SeveralBinaries_AreNamed()
    {
        directory.Write("tok1.bin", "");
        directory.Write("tok2.bin", "");
        Assert.Contains(
            "tok1.bin, tok2.bin",
            Assert.Throws<InvalidDataException>(() => TokenizerFiles.Load(directory.Path)).Message,
            StringComparison.Ordinal
        );
    }

    [RealModelFact]
    public void CraftGpt_PromptsAndReplies_EqualTheGoldenOnes()
    {
        var tokenizer = Assert.IsType<GreedyTokenizer>(TokenizerFiles.Load(RealModels.PathOf("craftgpt-5m")));
        Assert.Equal(1906, tokenizer.VocabularySize);
        ForEachGolden(
            "craftgpt-5m",
            (prompt, ids, greedy, text) =>
            {
                Assert.Equal(ids, tokenizer.Encode($"[inst] {prompt} [/inst]"));
                Assert.Equal(prompt, tokenizer.Decode(ids));
                Assert.Equal(text, tokenizer.Decode(greedy));
                Assert.Equal(tokenizer.EndOfSequenceId, greedy[^1]);
            }
        );
    }

    [RealModelFact]
    public void Stories260K_PromptsAndContinuations_EqualTheGoldenOnes()
    {
        var tokenizer = Assert.IsType<SentencePieceTokenizer>(TokenizerFiles.Load(RealModels.PathOf("stories260K-hf")));
        Assert.Equal(512, tokenizer.VocabularySize);
        ForEachGolden(
            "stories260K",
            (prompt, ids, greedy, text) =>
            {
                Assert.Equal(ids, tokenizer.Encode(prompt));
                Assert.Equal(prompt, tokenizer.Decode(ids));
                Assert.Equal(text, tokenizer.Decode(greedy));
                Assert.Equal((prompt + text).TrimStart(), tokenizer.Decode([.. ids, .. greedy]));
            }
        );
    }

    private static void ForEachGolden(string model, Action<string, int[], int[], string> check)
    {
        using var golden = JsonDocument.Parse(File.ReadAllText(RealModels.PathOf("golden.json")));
        var cases = golden.RootElement.GetProperty(model);
        Assert.True(cases.GetArrayLength() > 0);
        foreach (var entry in cases.EnumerateArray())
        {
            check(
                entry.GetProperty("prompt").GetString()!,
                entry.GetProperty("ids").Deserialize<int[]>()!,
                entry.GetProperty("greedy").Deserialize<int[]>()!,
                entry.GetProperty("text").GetString()!
            );
        }
    }
}
