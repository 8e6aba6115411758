using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class MaskedTests
{
    // Counted: 1, 2 | 6; sum 9, mean 3, squares about the mean 4 + 1 + 9 = 14.
    private static readonly double[,] Numbers2D =
    {
        { 1, 2, 50 },
        { 60, 6, 70 },
    };
    private static readonly double[,] Mask2D =
    {
        { 1, 1, 0 },
        { 0, 1, 0 },
    };

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Reductions_GiveTheHandWorkedNumbers(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var values = tensor(Numbers2D).to_type(type);
        foreach (var mask in new[] { tensor(Mask2D), tensor(Mask2D).to_type(ScalarType.Bool), tensor(Mask2D).to_type(ScalarType.Int64) })
        {
            Assert.Equal(type, Masked.Mean(values, mask).dtype);
            TensorAssert.Close(9, Masked.Sum(values, mask), 0);
            TensorAssert.Close([3, 6], Masked.Sum(values, mask, 1), 0);
            TensorAssert.Close([1, 8, 0], Masked.Sum(values, mask, 0), 0);
            TensorAssert.Close(3, Masked.Mean(values, mask), 0);
            TensorAssert.Close([1.5, 6], Masked.Mean(values, mask, 1), 0);
            TensorAssert.Close([1, 4, 0], Masked.Mean(values, mask, -2), 0);
            TensorAssert.Close(4.666666666666667, Masked.Variance(values, mask), 1e-7);
            TensorAssert.Close(7, Masked.Variance(values, mask, unbiased: true), 1e-7);
        }
    }

    [Fact]
    public void Whiten_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // Mean 3, variance 4: (1, 5) becomes (−1, 1), or (2, 4) about the old mean.
        var values = tensor(new double[] { 1, 9, 5 });
        var mask = tensor(new double[] { 1, 0, 1 });
        TensorAssert.Close([-1, 0, 1], Masked.Whiten(values, mask, epsilon: 0), 1e-15);
        TensorAssert.Close([2, 0, 4], Masked.Whiten(values, mask, keepMean: true, epsilon: 0), 1e-15);
        // ε stands inside the root: 2/√(4 + 12) = 0.5.
        TensorAssert.Close([-0.5, 0, 0.5], Masked.Whiten(values, mask, epsilon: 12), 1e-15);
    }

    [Fact]
    public void Whiten_HasMeanZeroAndVarianceOne_OrKeepsTheMean()
    {
        using var scope = NewDisposeScope();
        var values = Numbers.Uniform(1, 5, 4, 7) + 3;
        var mask = Numbers.Mask(7, 7, 2, 5, 1);
        var whitened = Masked.Whiten(values, mask, epsilon: 0);
        TensorAssert.Close(0, Masked.Mean(whitened, mask), 1e-15);
        TensorAssert.Close(1, Masked.Variance(whitened, mask), 1e-14);
        var kept = Masked.Whiten(values, mask, keepMean: true, epsilon: 0);
        TensorAssert.Close(Masked.Mean(values, mask), Masked.Mean(kept, mask), 1e-14);
        TensorAssert.Close(1, Masked.Variance(kept, mask), 1e-14);
    }

    public static TheoryData<string> Functions =>
        new("sum", "sum rows", "mean", "mean rows", "variance", "unbiased", "whiten", "keep mean");

    private static Tensor Apply(string name, Tensor values, Tensor mask) =>
        name switch
        {
            "sum" => Masked.Sum(values, mask),
            "sum rows" => Masked.Sum(values, mask, 1),
            "mean" => Masked.Mean(values, mask),
            "mean rows" => Masked.Mean(values, mask, 1),
            "variance" => Masked.Variance(values, mask),
            "unbiased" => Masked.Variance(values, mask, unbiased: true),
            "whiten" => Masked.Whiten(values, mask),
            _ => Masked.Whiten(values, mask, keepMean: true),
        };

    // Different weights for the elements of a result, so that no error cancels.
    private static Tensor Scalar(string name, Tensor values, Tensor mask)
    {
        var result = Apply(name, values, mask);
        return (result * Numbers.Uniform(9, 1, result.shape)).sum();
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void Gradient_AgreesWithDifferences(string name)
    {
        using var scope = NewDisposeScope();
        var mask = Numbers.Mask(4, 4, 1, 3);
        GradientCheck.Run(inputs => Scalar(name, inputs[0], mask), Numbers.Uniform(2, 2, 3, 4));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void WhatDoesNotCount_ChangesNeitherValueNorGradient(string name)
    {
        using var scope = NewDisposeScope();
        var clean = Numbers.Uniform(3, 2, 2, 3);
        var mask = Numbers.Mask(3, 3, 1);
        foreach (double poison in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e300 })
        {
            var poisoned = clean.masked_fill(mask == 0, poison);
            TensorAssert.Same(Apply(name, clean, mask), Apply(name, poisoned, mask), name);
            TensorAssert.Same(
                Numbers.Gradient(x => Scalar(name, x, mask), clean),
                Numbers.Gradient(x => Scalar(name, x, mask), poisoned),
                name
            );
        }
        var counted = clean.clone();
        counted[0, 0] = tensor(double.NaN);
        Assert.Contains(Numbers.Values(Apply(name, counted, mask)), double.IsNaN);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void EmptyMask_GivesZeroAndZeroGradients(string name)
    {
        using var scope = NewDisposeScope();
        var values = full([2, 3], double.NaN, dtype: ScalarType.Float64);
        var mask = zeros(2, 3);
        TensorAssert.Zero(Apply(name, values, mask), name);
        TensorAssert.Zero(Numbers.Gradient(x => Scalar(name, x, mask), values), name);
    }

    [Fact]
    public void Variance_OfOneCountedValue_IsZero()
    {
        using var scope = NewDisposeScope();
        var mask = Numbers.Mask(3, 1);
        var values = Numbers.Uniform(4, 1, 1, 3);
        TensorAssert.Zero(Masked.Variance(values, mask));
        TensorAssert.Zero(Masked.Variance(values, mask, unbiased: true));
    }

    [Fact]
    public void MaskEqualsDropping()
    {
        using var scope = NewDisposeScope();
        var values = Numbers.Uniform(5, 3, 10);
        var mask = tensor(new double[] { 1, 0, 0, 1, 1, 0, 1, 1, 0, 1 });
        var left = values.masked_select(mask != 0);
        TensorAssert.Close(left.sum(), Masked.Sum(values, mask), 1e-15);
        TensorAssert.Close(left.mean(), Masked.Mean(values, mask), 1e-15);
        TensorAssert.Close(left.std(false).square(), Masked.Variance(values, mask), 1e-15);
        TensorAssert.Close(left.var(true), Masked.Variance(values, mask, unbiased: true), 1e-15);
        TensorAssert.Close(Masked.Whiten(left, ones_like(left)), Masked.Whiten(values, mask).masked_select(mask != 0), 1e-15);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    public void OnlyTheResultStaysAlive(string name)
    {
        using var values = Numbers.Uniform(6, 1, 2, 3).requires_grad_(true);
        using var mask = Numbers.Mask(3, 3, 1);
        using var counts = mask.to_type(ScalarType.Bool);
        Ownership.Check(() => [Apply(name, values, mask)], values, mask);
        Ownership.Check(() => [Apply(name, values, counts)], values, counts);
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var error = Assert.Throws<ArgumentException>(() => Masked.Mean(zeros(2, 3), zeros(2, 4)));
        Assert.Equal("mask", error.ParamName);
        Assert.Contains("mask has shape [2, 4], expected [2, 3] as values", error.Message, StringComparison.Ordinal);
        Assert.Equal("epsilon", Assert.Throws<ArgumentOutOfRangeException>(() => Masked.Whiten(zeros(2), zeros(2), epsilon: -1)).ParamName);
        Assert.Equal(
            "epsilon",
            Assert.Throws<ArgumentOutOfRangeException>(() => Masked.Whiten(zeros(2), zeros(2), epsilon: double.NaN)).ParamName
        );
    }
}
