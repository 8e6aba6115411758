using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Statistics of values with missing entries, written as NaN.</summary>
public static class NanStatistics
{
    /// <summary>Computes the unbiased standard deviation of the values that are not NaN, √(Σ(x − μ)² / (n − 1)); NaN if there are fewer
    /// than two.</summary>
    /// <param name="values">Any shape, floating point.</param>
    /// <param name="dim">The dimension to reduce; null means all.</param>
    /// <param name="keepDim">True keeps a reduced dimension with size 1.</param>
    /// <returns>A fresh tensor: a scalar, or <paramref name="values"/> without the dimension.</returns>
    /// <exception cref="ArgumentException">The values are not floating point.</exception>
    public static Tensor StandardDeviation(Tensor values, long? dim = null, bool keepDim = false)
    {
        Guard.Floating(values, nameof(values));
        using var scope = NewDisposeScope();
        var flat = dim is null ? values.reshape(-1) : values;
        long reduced = dim ?? 0;
        var missing = flat.isnan();
        var known = flat.masked_fill(missing, 0);
        var count = missing.logical_not().to_type(values.dtype).sum(reduced, true);
        var mean = known.sum(reduced, true).div(count);
        var squares = (known - mean).square().masked_fill(missing, 0).sum(reduced, true);
        // A count of one would divide 0 by 0, a count of none 0 by −1.
        var deviation = squares.div(count - 1).sqrt().masked_fill(count.lt(2), double.NaN);
        var result =
            dim is null ? deviation.reshape([])
            : keepDim ? deviation
            : deviation.squeeze(reduced);
        return result.MoveToOuterDisposeScope();
    }
}
