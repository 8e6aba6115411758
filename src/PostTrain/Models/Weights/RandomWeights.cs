using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Random initialisation: N(0, 0.02²), projections into the residual stream N(0, 0.02² / 2L), biases 0, norms 1 (Radford et al.
/// 2019, section 2.3). The numbers of the k-th parameter depend on (seed, k) only, not on the engine.</summary>
internal sealed class RandomWeights(ulong seed, int layers, ScalarType type) : WeightSource
{
    private const double StandardDeviation = 0.02;

    private ulong drawn;

    public override Tensor Get(string name, long[] shape, WeightRole role)
    {
        switch (role)
        {
            case WeightRole.Bias:
                return zeros(shape, dtype: type);
            case WeightRole.NormScale:
                return ones(shape, dtype: type);
        }

        var values = new float[checked((int)shape.Aggregate(1L, (product, size) => checked(product * size)))];
        var deviation = role == WeightRole.ResidualProjection ? StandardDeviation / Math.Sqrt(2.0 * layers) : StandardDeviation;
        CounterRandom.FillNormal(values, seed, drawn++, deviation);
        return NativeTensor.Of(values, shape, type);
    }
}
