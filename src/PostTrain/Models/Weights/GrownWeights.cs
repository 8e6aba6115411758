using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Weights copied from an existing decoder; where more rows are asked for, the further ones are the mean of its rows with a
/// little noise.</summary>
internal sealed class GrownWeights(Decoder source, ulong seed) : WeightSource
{
    // Of the columns' standard deviations.
    private const double Noise = 0.01;

    private readonly Dictionary<string, Tensor> weights = source.Weights().ToDictionary(item => item.Name, item => (Tensor)item.Parameter);

    private ulong drawn;

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        using var scope = NewDisposeScope();
        var old = weights[name].detach();
        var count = shape[0] - old.size(0);
        if (count == 0)
            return old.clone().MoveToOuterDisposeScope();
        var values = new float[checked((int)(count * shape[1]))];
        CounterRandom.FillNormal(values, seed, drawn++, Noise);
        var rows = old.to_type(ScalarType.Float64);
        var mean = rows.mean([0L]);
        var noise = NativeTensor.Of(values, [count, shape[1]], ScalarType.Float64, old.device) * (rows - mean).square().mean([0L]).sqrt();
        return cat([old, (mean + noise).to_type(old.dtype)], 0).MoveToOuterDisposeScope();
    }
}
