using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Support;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>A byte-level tokenizer and a chat template in llama.cpp.</summary>
public sealed class TokenizerTests
{
    private static readonly string Model = Path.Combine(RepositoryFolder.Root, "tests", "golden", "gguf", "llama-bpe");

    [Fact]
    public void Ids_TextAndTemplate_AreOurs()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Pretrained.Load(Model);
        var tokenizer = TokenizerJson.Load(Model);
        var path = folder.File("model.gguf");
        GgufExport.Write(Model, path, new GgufExportOptions { Type = GgufType.F32 });
        using var theirs = new LlamaCpp(path, 128);
        foreach (
            var text in (string[])
                ["The reward model", "It's 12345 + 678!", "  two  spaces\n\nlines\t", "é日本語 😀", "", "a<|im_end|>b", "don't WE'LL x"]
        )
            Assert.Equal(tokenizer.Encode(text), theirs.Tokenize(text, special: true));
        Assert.Equal(PostTrain.Text.Chat.ChatTemplate.Load(Model).SpecialTokens["bos_token"], tokenizer.TokenOf(1));
        Assert.Contains("<|start_header_id|>", theirs.ChatTemplate, StringComparison.Ordinal);
        var prompt = tokenizer.Encode("The reward model");
        var greedy = theirs.Greedy(prompt, 12);
        Assert.Equal(Ours.Greedy(model, prompt, 12), greedy);
        Assert.Equal(tokenizer.Decode(greedy), theirs.Text(greedy));
    }

    // Texts that no normaliser changes: llama.cpp has none.
    [Theory]
    [InlineData("bpe-gpt2")]
    [InlineData("bpe-llama3")]
    [InlineData("bpe-qwen2")]
    [InlineData("sp-bpe")]
    [InlineData("sp-metaspace")]
    public void Ids_OfEveryKindOfTokenizer_AreOurs(string name)
    {
        using var folder = new TemporaryDirectory();
        var source = Path.Combine(RepositoryFolder.Root, "tests", "golden", "tokenizers", name);
        var tokenizer = TokenizerJson.Load(source);
        var config = new DecoderConfig
        {
            VocabularySize = tokenizer.VocabularySize,
            ContextLength = 64,
            HiddenSize = 32,
            Layers = 1,
            Heads = 2,
        };
        using (var model = Decoder.Create(config, 1))
            GgufExport.Write(model, source, folder.File("model.gguf"));
        using var theirs = new LlamaCpp(folder.File("model.gguf"), 64);
        foreach (
            var text in (string[])
                ["The reward model is trained.", "It's 12345 + 678!", "a  b   c", "line\nline\n\nend", "日本語 😀 é", "don't x_y(z) = 3.14"]
        )
            Assert.Equal(tokenizer.Encode(text), theirs.Tokenize(text));
    }
}
