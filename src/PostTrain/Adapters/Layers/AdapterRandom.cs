using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>The initial values of adapters: the k-th tensor depends on (seed, k) only, and not on the engine.</summary>
/// <param name="seed">Seed of the values.</param>
/// <param name="limit">Maximum number of elements of a tensor, so that a file cannot request more than it holds.</param>
/// <param name="blank">True for zeros, if values of a file replace them anyway.</param>
internal sealed class AdapterRandom(ulong seed, long limit = long.MaxValue, bool blank = false)
{
    private ulong drawn;

    /// <summary>Draws from N(0, deviation²).</summary>
    public Tensor Normal(long[] shape, double deviation, ScalarType type)
    {
        var values = new float[Count(shape)];
        if (!blank)
            CounterRandom.FillNormal(values, seed, drawn++, deviation);
        return tensor(values, shape, dtype: type);
    }

    /// <summary>Draws from U(−bound, bound).</summary>
    public Tensor Uniform(long[] shape, double bound, ScalarType type)
    {
        var values = new double[Count(shape)];
        for (var i = 0; !blank && i < values.Length; i++)
            values[i] = bound * (2 * CounterRandom.Uniform(seed, drawn, (ulong)i) - 1);
        drawn++;
        return tensor(values, shape, dtype: type);
    }

    /// <summary>Draws from U(±1/√fan-in), PyTorch's initialisation of a linear layer with weight [out,in].</summary>
    public Tensor Kaiming(long[] shape, ScalarType type) => Uniform(shape, 1 / Math.Sqrt(Math.Max(1, shape[^1])), type);

    /// <summary>A seed for numbers that somebody else draws.</summary>
    public ulong NextSeed() => CounterRandom.Bits(seed, drawn++);

    public Tensor Zeros(long[] shape, ScalarType type)
    {
        _ = Count(shape);
        return zeros(shape, dtype: type);
    }

    public Tensor Ones(long[] shape, ScalarType type)
    {
        _ = Count(shape);
        return ones(shape, dtype: type);
    }

    private int Count(long[] shape)
    {
        var count = shape.Aggregate((Int128)1, (product, size) => product * size);
        if (count > limit)
            throw new InvalidDataException(
                $"a tensor of the shape [{string.Join(",", shape)}] is asked for, but by the size of the file at most {limit} "
                    + "elements can be meant"
            );
        return count <= Array.MaxLength
            ? (int)count
            : throw new ArgumentOutOfRangeException(
                nameof(shape),
                $"the shape [{string.Join(",", shape)}] has more than {Array.MaxLength} elements"
            );
    }
}
