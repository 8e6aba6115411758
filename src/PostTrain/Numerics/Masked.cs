using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Reductions over the positions that a mask counts.</summary>
/// <remarks>
/// A mask has the shape of the values and holds 1 (or true) where a position counts and 0 elsewhere. Values at uncounted positions, NaN
/// included, change neither a result nor a gradient; a NaN at a counted position stays NaN. A mask without a counted position gives 0. All
/// functions are differentiable in the values and return fresh tensors.
/// </remarks>
public static class Masked
{
    /// <summary>Computes the sum of the counted values, Σ m·x.</summary>
    /// <param name="values">Any shape.</param>
    /// <param name="mask">The shape of <paramref name="values"/>.</param>
    /// <param name="dim">The dimension to reduce; null means all.</param>
    /// <exception cref="ArgumentException">Shapes do not agree.</exception>
    public static Tensor Sum(Tensor values, Tensor mask, long? dim = null)
    {
        using var scope = NewDisposeScope();
        var counted = Counted(values, mask);
        return (dim is { } d ? counted.sum(d) : counted.sum()).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the mean of the counted values, Σ m·x / Σ m; 0 if nothing counts.</summary>
    /// <inheritdoc cref="Sum"/>
    public static Tensor Mean(Tensor values, Tensor mask, long? dim = null)
    {
        using var scope = NewDisposeScope();
        return Sum(values, mask, dim).div(CountOrOne(mask, values.dtype, dim)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the variance of all counted values about their mean.</summary>
    /// <param name="values">Any shape.</param>
    /// <param name="mask">The shape of <paramref name="values"/>.</param>
    /// <param name="unbiased">Divides by n − 1 (true) or by n (false, the default); a single counted value has variance 0.</param>
    public static Tensor Variance(Tensor values, Tensor mask, bool unbiased = false)
    {
        using var scope = NewDisposeScope();
        // An uncounted NaN would reach the gradient through the square, so it is removed before any arithmetic.
        var counted = Counted(values, mask);
        var squares = Sum((counted - Mean(counted, mask)).square(), mask);
        var count = mask.to_type(values.dtype).sum();
        var divisor = (unbiased ? count - 1 : count).clamp_min(1);
        return squares.div(divisor).MoveToOuterDisposeScope();
    }

    /// <summary>Scales the counted values to variance 1 and, unless <paramref name="keepMean"/>, shifts them to mean 0: (x − μ)/√(σ² +
    /// ε).</summary>
    /// <param name="values">Any shape.</param>
    /// <param name="mask">The shape of <paramref name="values"/>.</param>
    /// <param name="keepMean">Adds the mean back after scaling, so that only the scale changes. False by default.</param>
    /// <param name="epsilon">Added to the variance, at least 0.</param>
    /// <param name="unbiased">Divides the variance by n − 1 (true) or by n (false, the default).</param>
    /// <returns>The shape of <paramref name="values"/>; 0 at uncounted positions.</returns>
    public static Tensor Whiten(Tensor values, Tensor mask, bool keepMean = false, double epsilon = 1e-8, bool unbiased = false)
    {
        Guard.NotNegative(epsilon, nameof(epsilon));
        using var scope = NewDisposeScope();
        var counted = Counted(values, mask);
        var mean = Mean(counted, mask);
        var scaled = (counted - mean) * (Variance(counted, mask, unbiased) + epsilon).rsqrt();
        return Counted(keepMean ? scaled + mean : scaled, mask).MoveToOuterDisposeScope();
    }

    /// <summary>Returns the values where the mask counts, 0 elsewhere.</summary>
    internal static Tensor Counted(Tensor values, Tensor mask)
    {
        Guard.SameShape(mask, nameof(mask), values, nameof(values));
        using var scope = NewDisposeScope();
        // Not x·m, which would let an uncounted NaN through.
        var isCounted = mask.dtype == ScalarType.Bool ? mask : mask != 0;
        return values.masked_fill(isCounted.logical_not(), 0).MoveToOuterDisposeScope();
    }

    /// <summary>Returns the number of counted positions, or 1 if there are none, so that dividing by it gives 0.</summary>
    internal static Tensor CountOrOne(Tensor mask, ScalarType type, long? dim = null)
    {
        using var scope = NewDisposeScope();
        var counted = mask.to_type(type);
        return (dim is { } d ? counted.sum(d) : counted.sum()).clamp_min(1).MoveToOuterDisposeScope();
    }
}
