using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Models.Gguf;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Text;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.LlamaSharp.Tests;

/// <summary>Small random models of every architecture: llama.cpp's logits of the written file equal ours.</summary>
public sealed class ArchitectureTests(ITestOutputHelper output)
{
    // Shapes of the tiny models where llama.cpp computes them: layers in its own order, its scale of the scores.
    private static readonly Dictionary<string, DecoderConfig> Models = new()
    {
        ["llama"] = Small("llama"),
        ["llama with linear scaling"] = Small("llama") with { Attention = [Scaled(new LinearScaling(4))] },
        ["llama with YaRN"] = Small("llama") with { Attention = [Scaled(new YarnScaling(4, 16))] },
        ["llama 3.1"] = Small("llama") with { Attention = [Scaled(new Llama3Scaling(4, 1, 4, 32))] },
        ["llama with biases"] = Small("llama") with { AttentionBias = true, TiedEmbeddings = false },
        ["mistral"] = Small("mistral") with { TiedEmbeddings = false },
        ["qwen2"] = Small("qwen2") with { AttentionBias = true, AttentionOutputBias = false },
        ["qwen3"] = Small("qwen3") with { HeadSize = 16, Attention = [new AttentionSpec { QueryKeyNorm = true }] },
        ["gemma"] = Gemma("gemma") with { NormPlacement = NormPlacement.Before },
        ["gemma2"] = Gemma("gemma2") with
        {
            LogitSoftCap = 3,
            Attention = [new AttentionSpec { Window = 4, SoftCap = 2 }, new AttentionSpec { SoftCap = 2 }],
        },
        ["gemma3"] = Gemma("gemma3_text") with
        {
            Layers = 6,
            Attention =
            [
                .. Enumerable.Repeat(new AttentionSpec { Window = 4, QueryKeyNorm = true }, 5),
                new AttentionSpec
                {
                    QueryKeyNorm = true,
                    Rotary = new RotarySpec { Theta = 1e6, Scaling = new LinearScaling(8) },
                },
            ],
        },
        ["phi3"] = Small("phi3") with { FusedProjections = true, TiedEmbeddings = false },
        ["gpt2"] = DecoderConfig.Gpt2(19, 64, 32, 2, 4),
    };

    public static TheoryData<string> Names => [.. Models.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void LogProbs_EqualOurs(string name)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Create(Models[name], folder);
        var path = folder.File("model.gguf");
        GgufExport.Write(folder.File("model"), path, new GgufExportOptions { Type = GgufType.F32 });
        using var theirs = new LlamaCpp(path, 64);
        var ids = Enumerable.Range(0, 24).Select(i => (7 * i * i + 3 * i + 2) % 19).ToArray();
        var ours = Ours.Logits(model, ids);
        // A random model that hardly looks at its input would prove nothing.
        Assert.True(ours[3].Zip(ours[11]).Max(pair => Math.Abs(pair.First - pair.Second)) > 0.3);
        var difference = Ours.Difference(ours, theirs.Logits(ids));
        output.WriteLine($"{name}: log-probs differ by at most {difference:E1}");
        // ggml looks GELU up in a table of float16.
        Assert.InRange(difference, 0, Models[name].Activation == Activation.GeluTanh ? 1e-2 : 2e-4);
    }

    [Theory]
    [InlineData(false, 4)]
    [InlineData(true, 4)]
    [InlineData(true, 16)]
    public void Adapter_OverTheBase_EqualsOurs(bool rankStabilized, double alpha)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryDirectory();
        using var model = Create(Models["llama"], folder);
        var (path, adapter) = (folder.File("model.gguf"), folder.File("adapter.gguf"));
        GgufExport.Write(folder.File("model"), path, new GgufExportOptions { Type = GgufType.F32 });
        var options = new LoraOptions
        {
            Targets = ModuleSelection.AllLinear,
            Rank = 4,
            Alpha = alpha,
            RankStabilized = rankStabilized,
            RankPattern = new Dictionary<string, int> { ["v_proj"] = 2 },
            AlphaPattern = new Dictionary<string, double> { ["down_proj"] = 3 },
        };
        using var adapted = AdaptedModel.Attach(model, options);
        var ids = Enumerable.Range(0, 16).Select(i => (5 * i * i + i + 1) % 19).ToArray();
        var before = Ours.Logits(model, ids);
        using (no_grad())
        {
            var seed = 0;
            foreach (
                var (name, parameter) in model.named_parameters().Where(item => item.name.Contains("lora_B", StringComparison.Ordinal))
            )
                parameter.copy_(randn(parameter.shape, generator: new Generator((ulong)++seed)) * 0.3);
            Assert.True(seed > 10);
        }

        adapted.Save(folder.File("adapter"));
        GgufAdapter.Write(folder.File("adapter"), folder.File("model"), adapter);
        using var theirs = new LlamaCpp(path, 64);
        Assert.InRange(Ours.Difference(before, theirs.Logits(ids)), 0, 2e-4);
        theirs.Adapt(adapter);
        var after = Ours.Logits(model, ids);
        Assert.True(Ours.Difference(after, [.. before.Select(row => row.Select(value => (float)value).ToArray())]) > 0.1);
        Assert.InRange(Ours.Difference(after, theirs.Logits(ids)), 0, 5e-4);
    }

    private static Decoder Create(DecoderConfig config, TemporaryDirectory folder)
    {
        var model = TinyModels.Create(config, ScalarType.Float32);
        Pretrained.Save(model, folder.File("model"));
        new CharacterTokenizer("0123456789+=;", ["<a>", "<b>", "<c>", "<d>"]).Save(folder.File("model"));
        return model;
    }

    private static AttentionSpec Scaled(RotaryScaling scaling) => new() { Rotary = new RotarySpec { Scaling = scaling } };

    private static DecoderConfig Small(string type) =>
        new()
        {
            ModelType = type,
            VocabularySize = 19,
            ContextLength = 64,
            HiddenSize = 32,
            Layers = 2,
            Heads = 4,
            KeyValueHeads = 2,
            FeedForwardSize = 48,
        };

    private static DecoderConfig Gemma(string type) =>
        Small(type) with
        {
            HeadSize = 16,
            Activation = Activation.GeluTanh,
            Normalization = Normalization.RmsNormOffset,
            NormPlacement = NormPlacement.BeforeAndAfter,
            EmbeddingScale = Math.Sqrt(32),
        };
}
