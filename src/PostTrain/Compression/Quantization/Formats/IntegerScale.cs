using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Scale and zero point of each row of a group, [rows, 1], and the rounding with them.</summary>
internal readonly record struct IntegerScale(Tensor Scale, Tensor Zero, int Largest)
{
    private const double SearchExponent = 2.4;
    private const int SearchGrid = 100;
    private const int SearchSteps = 80;

    /// <summary>Computes them for the numbers of a group, [rows, columns].</summary>
    public static IntegerScale Of(Tensor group, IntegerOptions options)
    {
        using var scope = NewDisposeScope();
        var x = options.PerTensor ? group.reshape(1, -1) : group;
        var (low, high) = (x.amin([1L], true), x.amax([1L], true));
        var largest = options.Largest;
        Tensor scale,
            zero;
        if (options.Range == IntegerRange.Absmax)
        {
            var most = high.maximum(low.neg());
            scale = most.masked_fill(most.eq(0), 1) / (double)(largest / 2);
            zero = full_like(scale, (largest + 1) / 2);
        }
        else if (options.Range == IntegerRange.MinMax)
        {
            scale = (high - low).clamp_min(1e-5) / (double)largest;
            zero = (low / scale).round().neg().clamp(0, largest);
        }
        else
        {
            (low, high) = (low.clamp_max(0), high.clamp_min(0));
            if (options.Range == IntegerRange.Symmetric)
            {
                high = high.maximum(low.neg());
                low = where(low.lt(0), high.neg(), low);
            }

            var empty = low.eq(0).logical_and(high.eq(0));
            (low, high) = (low.masked_fill(empty, -1), high.masked_fill(empty, 1));
            (scale, zero) = Gptq(low, high, options);
            if (options.SearchRange)
                (scale, zero) = Search(x, low, high, scale, zero, options);
        }

        if (options.PerTensor)
            (scale, zero) = (scale.expand(group.size(0), 1).contiguous(), zero.expand(group.size(0), 1).contiguous());
        return new IntegerScale(scale.MoveToOuterDisposeScope(), zero.MoveToOuterDisposeScope(), largest);
    }

    /// <summary>Codes as numbers, [rows, columns].</summary>
    public Tensor Codes(Tensor x)
    {
        using var scope = NewDisposeScope();
        return ((x / Scale).round() + Zero).clamp(0, Largest).MoveToOuterDisposeScope();
    }

    /// <summary>(code − zero) · scale of the codes of <paramref name="x"/>.</summary>
    public Tensor Apply(Tensor x)
    {
        using var scope = NewDisposeScope();
        return ((Codes(x) - Zero) * Scale).MoveToOuterDisposeScope();
    }

    private static (Tensor Scale, Tensor Zero) Gptq(Tensor low, Tensor high, IntegerOptions options)
    {
        var scale = (high - low) / (double)options.Largest;
        var zero = options.Range == IntegerRange.Symmetric ? full_like(scale, (options.Largest + 1) / 2) : (low.neg() / scale).round();
        return (scale, zero);
    }

    private static (Tensor Scale, Tensor Zero) Search(Tensor x, Tensor low, Tensor high, Tensor scale, Tensor zero, IntegerOptions options)
    {
        var best = full_like(scale, double.PositiveInfinity);
        for (var i = 0; i < SearchSteps; i++)
        {
            var shrink = 1 - i / (double)SearchGrid;
            var (nextScale, nextZero) = Gptq(low * shrink, high * shrink, options);
            var error = (new IntegerScale(nextScale, nextZero, options.Largest).Apply(x) - x).abs().pow(SearchExponent).sum(1, true);
            var better = error.lt(best);
            (best, scale, zero) = (where(better, error, best), where(better, nextScale, scale), where(better, nextZero, zero));
        }

        return (scale, zero);
    }
}
