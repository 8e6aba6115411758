using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Small decoders of every architecture, with weights large enough that every part of them shows in the logits.</summary>
internal static class TinyModels
{
    internal static readonly DecoderConfig Llama = new()
    {
        VocabularySize = 23,
        ContextLength = 24,
        HiddenSize = 16,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 2,
        FeedForwardSize = 20,
    };

    internal static readonly DecoderConfig Gpt2 = DecoderConfig.Gpt2(
        vocabularySize: 23,
        contextLength: 24,
        hiddenSize: 16,
        layers: 2,
        heads: 4
    );

    /// <summary>One of each family, and the options that only some checkpoints of a family have.</summary>
    internal static readonly Dictionary<string, DecoderConfig> All = new()
    {
        ["llama"] = Llama,
        ["llama-biases"] = Llama with
        {
            ModelType = "llama",
            AttentionBias = true,
            FeedForwardBias = true,
            Attention = [Rope(new Llama3Scaling(4, 1, 4, 8))],
        },
        ["llama-linear"] = Llama with { ModelType = "llama", Attention = [Rope(new LinearScaling(2))] },
        ["llama-dynamic"] = Llama with { ModelType = "llama", Attention = [Rope(new DynamicScaling(2, 12))] },
        ["gpt2"] = Gpt2,
        ["mistral"] = Llama with { ModelType = "mistral", Attention = [new AttentionSpec { Window = 3 }] },
        ["qwen2"] = Llama with
        {
            ModelType = "qwen2",
            AttentionBias = true,
            AttentionOutputBias = false,
            Attention = [new AttentionSpec(), new AttentionSpec { Window = 4 }],
        },
        ["qwen3"] = Llama with
        {
            ModelType = "qwen3",
            HeadSize = 6,
            Attention = [Rope(new YarnScaling(2, 12)) with { QueryKeyNorm = true }],
        },
        ["gemma"] = Gemma("gemma") with { NormPlacement = NormPlacement.Before, Attention = [new AttentionSpec()] },
        ["gemma2"] = Gemma("gemma2") with
        {
            LogitSoftCap = 3,
            Attention =
            [
                new AttentionSpec
                {
                    Window = 3,
                    Scale = Math.Pow(6, -0.5),
                    SoftCap = 2,
                },
                new AttentionSpec { Scale = Math.Pow(6, -0.5), SoftCap = 2 },
            ],
        },
        ["gemma3_text"] = Gemma("gemma3_text") with
        {
            Layers = 3,
            Attention =
            [
                new AttentionSpec { Window = 4, QueryKeyNorm = true },
                new AttentionSpec { Window = 4, QueryKeyNorm = true },
                new AttentionSpec
                {
                    QueryKeyNorm = true,
                    Rotary = new RotarySpec { Theta = 1e6, Scaling = new LinearScaling(8) },
                },
            ],
        },
        ["phi3"] = Llama with
        {
            ModelType = "phi3",
            HeadSize = 8,
            FusedProjections = true,
            Attention =
            [
                new AttentionSpec
                {
                    Window = 5,
                    Rotary = new RotarySpec { Fraction = 0.75 },
                },
            ],
        },
    };

    internal static TheoryData<string> Names => [.. All.Keys];

    internal static DecoderConfig Config(string name) => All[name];

    private static AttentionSpec Rope(RotaryScaling scaling) => new() { Rotary = new RotarySpec { Scaling = scaling } };

    private static DecoderConfig Gemma(string type) =>
        Llama with
        {
            ModelType = type,
            HeadSize = 8,
            Activation = Activation.GeluTanh,
            Normalization = Normalization.RmsNormOffset,
            NormPlacement = NormPlacement.BeforeAndAfter,
            EmbeddingScale = 4,
        };

    internal static Decoder Create(string name, ScalarType type = ScalarType.Float64) => Create(Config(name), type);

    internal static Decoder Create(DecoderConfig config, ScalarType type = ScalarType.Float64)
    {
        var model = Decoder.Create(config, 7, type);
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        // The usual start of 0.02 makes a model that hardly looks at its input.
        foreach (var parameter in model.parameters())
            parameter.mul_(parameter.Dimensions == 2 ? 15 : 1).add_(parameter.Dimensions == 1 ? 0.05 : 0);
        return model;
    }
}
