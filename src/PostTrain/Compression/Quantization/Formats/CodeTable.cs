using MathNet.Numerics.Distributions;
using PostTrain.Numerics;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>The numbers, in [−1, 1], that the codes of a block stand for; each block multiplies them by its largest magnitude.</summary>
/// <remarks>The NF4 values are those of QLoRA (Dettmers et al. 2023, arXiv:2305.14314, appendix E), the FP4 values those of bitsandbytes,
/// the
/// 8-bit map is that of "8-bit Approximations for Parallelism in Deep Learning" (Dettmers 2016, arXiv:1511.04561).</remarks>
public sealed class CodeTable
{
    private const int DynamicExponents = 7;

    private CodeTable(string name, float[] values)
    {
        (Name, Values) = (name, values);
        Bits = values.Length <= 16 ? 4 : 8;
        // Of codes for the same value the first one is given.
        Order = [.. Enumerable.Range(0, values.Length).DistinctBy(i => values[i] + 0f).OrderBy(i => values[i])];
        Sorted = [.. Order.Select(i => values[i])];
    }

    /// <summary>NormalFloat 4: 16 quantiles of N(0, 1), 0 among them.</summary>
    public static CodeTable Nf4 { get; } =
        new(
            "nf4",
            [
                -1f,
                -0.6961928009986877f,
                -0.5250730514526367f,
                -0.39491748809814453f,
                -0.28444138169288635f,
                -0.18477343022823334f,
                -0.09105003625154495f,
                0f,
                0.07958029955625534f,
                0.16093020141124725f,
                0.24611230194568634f,
                0.33791524171829224f,
                0.44070982933044434f,
                0.5626170039176941f,
                0.7229568362236023f,
                1f,
            ]
        );

    /// <summary>Four bits as sign, exponent, mantissa, in the order of the bit patterns; codes 0 and 8 both stand for 0.</summary>
    public static CodeTable Fp4 { get; } = new("fp4", Signed(0, 0.0625f, 8, 12, 4, 6, 2, 3));

    /// <summary>AbnormalFloat 4 (Yoshida 2023, arXiv:2306.06965), from large to small values.</summary>
    public static CodeTable Af4 { get; } =
        new(
            "af4",
            [
                1f,
                0.72424863f,
                0.55496234f,
                0.42563882f,
                0.31675666f,
                0.21961274f,
                0.12934483f,
                0.04273164f,
                0f,
                -0.04934812f,
                -0.14982478f,
                -0.25607552f,
                -0.3736951f,
                -0.51243739f,
                -0.69441008f,
                -1f,
            ]
        );

    /// <summary>The signed 8-bit map, 256 values whose steps grow with their size.</summary>
    public static CodeTable Dynamic { get; } = new("dynamic", DynamicMap(signed: true));

    /// <summary>Table for numbers that are never negative.</summary>
    public static CodeTable DynamicUnsigned { get; } = new("dynamic-unsigned", DynamicMap(signed: false));

    /// <summary>The name in files.</summary>
    public string Name { get; }

    /// <summary>The value of each code.</summary>
    public IReadOnlyList<float> Values { get; }

    /// <summary>Bits of a code in memory, 4 or 8.</summary>
    public int Bits { get; }

    /// <summary>The values from small to large, and the code of each.</summary>
    internal float[] Sorted { get; }

    internal int[] Order { get; }

    /// <summary>Creates a table of your own.</summary>
    /// <param name="name">The name in reports.</param>
    /// <param name="values">2 to 256 finite numbers, the value of each code. Up to 16 make codes of 4 bits, more of 8.</param>
    /// <exception cref="ArgumentException">There are too few or too many, or one is not finite.</exception>
    public static CodeTable Of(string name, params ReadOnlySpan<float> values)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (values.Length is < 2 or > 256)
            throw new ArgumentException($"values has {values.Length} numbers, expected 2 to 256", nameof(values));
        foreach (var value in values)
        {
            if (!float.IsFinite(value))
                throw new ArgumentException($"values holds {value}, expected finite numbers", nameof(values));
        }

        return new CodeTable(name, values.ToArray());
    }

    /// <summary>NormalFloat of 16 values from the quantiles of the normal distribution: eight above 0, seven below, and 0.</summary>
    /// <param name="offset">The probability whose quantile becomes 1, above 0.5 and below 1.</param>
    /// <returns>The values in float64, from small to large.</returns>
    public static double[] NormalFloat(double offset = 0.9677083)
    {
        if (!(offset is > 0.5 and < 1))
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "offset must be above 0.5 and below 1");
        // The reference spaces the probabilities in float32.
        double first = (float)offset;
        double[] Quantiles(int count) =>
            [.. Enumerable.Range(0, count).Select(i => Normal.InvCDF(0, 1, (float)(first + (0.5 - first) * i / count)))];
        double[] values = [.. Quantiles(8), 0, .. Quantiles(7).Select(value => -value)];
        Array.Sort(values);
        return [.. values.Select(value => value / values[^1])];
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>The nearest code of each number; half-way between two values, that of the lower one.</summary>
    /// <param name="scaled">Numbers in [−1, 1], float32.</param>
    /// <returns>Codes of the same shape, uint8.</returns>
    internal Tensor Nearest(Tensor scaled)
    {
        using var scope = NewDisposeScope();
        var sorted = NativeTensor.Of(Sorted, [Sorted.Length], ScalarType.Float32, scaled.device);
        var middle = (sorted.narrow(0, 0, Sorted.Length - 1) + sorted.narrow(0, 1, Sorted.Length - 1)) / 2;
        var place = searchsorted(middle, scaled.contiguous(), out_int32: true);
        var order = tensor(Order, dtype: ScalarType.Byte, device: scaled.device);
        return order.index_select(0, place.reshape(-1)).reshape(scaled.shape).MoveToOuterDisposeScope();
    }

    /// <summary>The values as a tensor.</summary>
    internal Tensor Tensor(Device? device = null) => NativeTensor.Of([.. Values], [Values.Count], ScalarType.Float32, device);

    private static float[] Signed(params float[] halves) =>
        [.. halves.Select(value => value / 12), .. halves.Select(value => value == 0 ? 0 : -value / 12)];

    // Each exponent has twice as many fractions as the one below it; the fractions are the middles of equal parts of [0.1, 1].
    private static float[] DynamicMap(bool signed)
    {
        using var scope = NewDisposeScope();
        var values = new List<float> { 0, 1 };
        for (var i = 0; i < DynamicExponents; i++)
        {
            var count = (1 << (signed ? i : i + 1)) + 1;
            var edges = linspace(0.1, 1, count, dtype: ScalarType.Float32);
            var factor = Math.Pow(10, i - (DynamicExponents - 1));
            var means = ((edges.narrow(0, 0, count - 1) + edges.narrow(0, 1, count - 1)) / 2.0 * factor).data<float>().ToArray();
            values.AddRange(means);
            if (signed)
                values.AddRange(means.Select(value => -value));
        }

        values.Sort();
        return [.. values];
    }
}
