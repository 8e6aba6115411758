using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>Random float32 inputs of a workload; the same for the same seed.</summary>
internal sealed class Inputs(ulong seed = 0) : IDisposable
{
    private readonly Generator generator = new(seed);

    /// <summary>Type of the weights of whole models; the other inputs are float32.</summary>
    public ScalarType ModelType { get; init; } = ScalarType.Float32;

    /// <summary>The numbers of a size such as <c>1024x256</c> or <c>64x64r8</c>.</summary>
    public static long[] Dimensions(string size) =>
        [.. size.Split('x', 'r').Select(number => long.Parse(number, NumberStyles.None, CultureInfo.InvariantCulture))];

    /// <summary>mean + deviation·N(0,1).</summary>
    public Tensor Normal(long[] shape, double deviation = 1, double mean = 0)
    {
        using var scope = NewDisposeScope();
        return randn(shape, generator: generator).mul(deviation).add(mean).MoveToOuterDisposeScope();
    }

    /// <summary>The values moved by deviation·N(0,1): what an older policy or a reference says of the same tokens.</summary>
    public Tensor Near(Tensor values, double deviation)
    {
        using var scope = NewDisposeScope();
        return (values.detach() + Normal(values.shape, deviation)).MoveToOuterDisposeScope();
    }

    /// <summary>Something that gradients are taken of.</summary>
    public Tensor Leaf(long[] shape, double deviation = 1, double mean = 0) => Normal(shape, deviation, mean).requires_grad_();

    /// <summary>Token ids, uniform in 0..vocabulary−1.</summary>
    public Tensor Ids(long[] shape, long vocabulary) => randint(vocabulary, shape, ScalarType.Int64, generator: generator);

    /// <summary>Whole numbers from low to high − 1, as float32: lengths.</summary>
    public Tensor Lengths(long count, long low, long high)
    {
        using var scope = NewDisposeScope();
        return randint(low, high, new long[] { count }, ScalarType.Int64, generator: generator)
            .to_type(ScalarType.Float32)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Keeps T − (b mod 4)·T/8 tokens of row b, the division truncating.</summary>
    public static Tensor Mask(long rows, long tokens)
    {
        using var scope = NewDisposeScope();
        var lengths = tensor(Enumerable.Range(0, (int)rows).Select(row => tokens - row % 4 * tokens / 8).ToArray());
        return (arange(tokens).unsqueeze(0) < lengths.unsqueeze(1)).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose() => generator.Dispose();
}
