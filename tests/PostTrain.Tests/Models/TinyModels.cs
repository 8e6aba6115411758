using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Models;

/// <summary>Small decoders of both architectures, with weights large enough that every part of them shows in the logits.</summary>
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

    internal static readonly DecoderConfig Gpt2 = DecoderConfig.Gpt2(vocabularySize: 23, contextLength: 24, hiddenSize: 16, layers: 2, heads: 4);

    internal static DecoderConfig Config(string name) => name == "llama" ? Llama : Gpt2;

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
