using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>The repository's own model in llama.cpp: nothing but a clone is needed.</summary>
public sealed class ProjectModelTests
{
    private static readonly string Model = Path.Combine(RepositoryFolder.Root, "samples", "models", "arithmetic-base");
    private static readonly string[] Prompts = ["100+223=", "457+88=", "31+31=", "999+1=", "1+2+3=", "7+", "12=;"];

    [Theory]
    [InlineData(GgufType.F32, 1e-4)]
    [InlineData(GgufType.F16, 0.02)]
    [InlineData(GgufType.BF16, 0.1)]
    [InlineData(GgufType.Q8_0, 0.5)]
    public void GreedyTextAndLogProbs_EqualOurs(GgufType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Pretrained.Load(Model);
        var tokenizer = TokenizerFiles.Load(Model);
        var path = folder.File("model.gguf");
        GgufExport.Write(Model, path, new GgufExportOptions { Type = type });
        using var theirs = new LlamaCpp(path, model.ContextLength);
        var end = tokenizer.EndOfSequenceId!.Value;
        foreach (var prompt in Prompts)
        {
            var ids = tokenizer.Encode(prompt);
            Assert.Equal(ids, theirs.Tokenize(prompt));
            Assert.InRange(Ours.Difference(Ours.Logits(model, ids), theirs.Logits(ids)), 0, tolerance);
            var ours = Ours.Greedy(model, ids, 24, end);
            if (type != GgufType.F32)
                continue;
            var found = theirs.Greedy(ids, 24, end);
            Assert.Equal(ours, found);
            Assert.Equal(tokenizer.Decode(ours), theirs.Text(found.Where(id => id != end)));
        }
    }

    [Fact]
    public void NamedTokens_AreReadAndWrittenAsText()
    {
        using var folder = new TemporaryDirectory();
        var tokenizer = TokenizerFiles.Load(Model);
        var path = folder.File("model.gguf");
        GgufExport.Write(Model, path);
        using var theirs = new LlamaCpp(path, 64);
        const string text = "<think>1+1=2</think><answer>2</answer>";
        var ids = tokenizer.Encode(text);
        Assert.Equal(ids, theirs.Tokenize(text));
        Assert.Equal(text, theirs.Text(ids));
    }

    [Fact]
    public void ModelInMemory_IsWrittenAsItsDirectory()
    {
        using var folder = new TemporaryDirectory();
        using var model = Pretrained.Load(Model);
        var (first, second) = (folder.File("a.gguf"), folder.File("b.gguf"));
        GgufExport.Write(Model, first);
        GgufExport.Write(model, Model, second);
        using var a = GgufFile.Open(first);
        using var b = GgufFile.Open(second);
        Assert.Equal(a.Metadata.Keys, b.Metadata.Keys);
        Assert.Equal(a.Tensors.Select(item => item.Name).Order(), b.Tensors.Select(item => item.Name).Order());
        Assert.All(a.Tensors, item => Assert.Equal(a.ReadBytes(item.Name), b.ReadBytes(item.Name)));
    }
}
