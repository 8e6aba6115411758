using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.Gguf;

/// <summary>Weights of the right shapes that take no memory: one number, expanded.</summary>
internal sealed class ShapesOnly : WeightSource
{
    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        using var scope = NewDisposeScope();
        return zeros(1, dtype: ScalarType.Float32).expand(shape).MoveToOuterDisposeScope();
    }

    /// <summary>Names and shapes of a decoder's parameters.</summary>
    internal static IReadOnlyDictionary<string, long[]> Of(DecoderConfig config)
    {
        using var scope = NewDisposeScope();
        using var model = new Decoder(config, new ShapesOnly());
        return model.Weights().ToDictionary(item => item.Name, item => item.Parameter.shape, StringComparer.Ordinal);
    }
}
