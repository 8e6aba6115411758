using PostTrain.Models;
using static TorchSharp.torch;

namespace PostTrain.Compression.Pruning;

/// <summary>The weights of a decoder under other names, and of each what is kept.</summary>
internal sealed class PickedWeights(Decoder source, Func<string, string> nameOf, Func<string, Tensor, Tensor> pick) : WeightSource
{
    private readonly Dictionary<string, Tensor> weights = source.Weights().ToDictionary(item => item.Name, item => (Tensor)item.Parameter);

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        using var scope = NewDisposeScope();
        var from = nameOf(name);
        return pick(from, weights[from].detach()).clone().MoveToOuterDisposeScope();
    }
}
