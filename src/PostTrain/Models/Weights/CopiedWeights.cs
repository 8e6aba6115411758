using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Weights copied from an existing decoder.</summary>
internal sealed class CopiedWeights(Decoder source) : WeightSource
{
    private readonly Dictionary<string, Tensor> weights = source.Weights().ToDictionary(item => item.Name, item => (Tensor)item.Parameter);

    public override Tensor Get(string name, long[] shape, WeightRole role) => weights[name].detach().clone();
}
