using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class LossAggregationTests
{
    public static TheoryData<string> Names => new("token mean", "sequence mean", "sequence sum", "token sum", "sequence mean of sums");

    internal static LossAggregation Of(string name) =>
        name switch
        {
            "token mean" => LossAggregation.TokenMean,
            "sequence mean" => LossAggregation.SequenceMean,
            "token sum" => LossAggregation.TokenSum,
            "sequence mean of sums" => LossAggregation.SequenceMeanOfSums,
            _ => LossAggregation.SequenceSum(5),
        };

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float64)]
    public void Apply_GivesTheHandWorkedNumbers(ScalarType type)
    {
        using var scope = NewDisposeScope();
        // Rows of 3, 1 and no counted tokens: sums 6, 10, 0.
        var losses = tensor(
                new double[,]
                {
                    { 1, 2, 3 },
                    { 10, 90, 90 },
                    { 90, 90, 90 },
                }
            )
            .to_type(type);
        var mask = Numbers.Mask(3, 3, 1, 0);
        TensorAssert.Close(4, LossAggregation.TokenMean.Apply(losses, mask), 0);
        // (2 + 10 + 0) / 3, and (6 + 10 + 0) / (3 · 2)
        TensorAssert.Close(4, LossAggregation.SequenceMean.Apply(losses, mask), 0);
        TensorAssert.Close(2.6666666666666665, LossAggregation.SequenceSum(2).Apply(losses, mask), 1e-7);
        TensorAssert.Close(5.333333333333333, LossAggregation.SequenceSum().Apply(losses, mask), 1e-7);
        TensorAssert.Close(16, LossAggregation.TokenSum.Apply(losses, mask), 0);
        TensorAssert.Close(5.333333333333333, LossAggregation.SequenceMeanOfSums.Apply(losses, mask), 1e-7);
        Assert.Equal(4, LossAggregation.TokenMean.Denominator(mask));
        Assert.Equal(1, LossAggregation.TokenSum.Denominator(mask));
        Assert.Equal(3, LossAggregation.SequenceMean.Denominator(mask));
        Assert.Equal(6, LossAggregation.SequenceSum(2).Denominator(mask));
        TensorAssert.Close(1.6, LossAggregation.TokenMean.Apply(losses, mask, 10), 1e-7);
        Assert.Equal(type, LossAggregation.SequenceMean.Apply(losses, mask).dtype);
    }

    /// <summary>Any split of a batch, with the whole batch's denominator, gives the whole batch's loss and gradient.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void MicroBatches_GiveTheWholeBatchesLossAndGradient(string name)
    {
        using var scope = NewDisposeScope();
        var aggregation = Of(name);
        var parameter = Numbers.Uniform(1, 1, 4);
        var features = Numbers.Uniform(2, 1, 6, 5, 4);
        var mask = Numbers.Mask(5, 5, 1, 3, 0, 4, 2);
        Tensor Losses(Tensor at, long first, long count) => features.narrow(0, first, count).matmul(at).exp();

        double denominator = aggregation.Denominator(mask);
        var whole = Numbers.Gradient(at => aggregation.Apply(Losses(at, 0, 6), mask), parameter);
        double loss = aggregation.Apply(Losses(parameter, 0, 6), mask).ToDouble();
        foreach (int[] split in new int[][] { [6], [1, 5], [3, 3], [2, 1, 3], [1, 1, 1, 1, 1, 1] })
        {
            var leaf = parameter.clone().requires_grad_(true);
            double sum = 0;
            long first = 0;
            foreach (int count in split)
            {
                var part = aggregation.Apply(Losses(leaf, first, count), mask.narrow(0, first, count), denominator);
                part.backward();
                sum += part.ToDouble();
                first += count;
            }
            Assert.Equal(loss, sum, 1e-12);
            TensorAssert.Close(whole, leaf.grad!, 1e-12, string.Join('+', split));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void WhatDoesNotCount_ChangesNothing(string name)
    {
        using var scope = NewDisposeScope();
        var aggregation = Of(name);
        var losses = Numbers.Uniform(3, 1, 3, 4);
        var mask = Numbers.Mask(4, 4, 2, 0);
        var value = aggregation.Apply(losses, mask);
        var gradient = Numbers.Gradient(x => aggregation.Apply(x, mask), losses);
        foreach (double poison in new[] { double.NaN, double.PositiveInfinity })
        {
            var poisoned = losses.masked_fill(mask == 0, poison);
            TensorAssert.Same(value, aggregation.Apply(poisoned, mask));
            TensorAssert.Same(gradient, Numbers.Gradient(x => aggregation.Apply(x, mask), poisoned));
        }
        // Padding columns, and another order of the rows.
        var padding = full([3, 2], double.NaN, dtype: ScalarType.Float64);
        TensorAssert.Same(value, aggregation.Apply(cat([losses, padding], 1), cat([mask, zeros(3, 2)], 1)));
        var order = tensor(new long[] { 2, 0, 1 });
        TensorAssert.Close(value, aggregation.Apply(losses.index_select(0, order), mask.index_select(0, order)), 1e-15);
        losses[1, 1] = tensor(double.NaN);
        Assert.True(double.IsNaN(aggregation.Apply(losses, mask).ToDouble()));
    }

    /// <summary>A row without a counted token adds 0; token means do not see it, the others count it as a sequence.</summary>
    [Fact]
    public void EmptyRows_CountAsSequences()
    {
        using var scope = NewDisposeScope();
        var losses = Numbers.Uniform(4, 1, 2, 3);
        var mask = Numbers.Mask(3, 3, 2);
        var more = cat([losses, losses.narrow(0, 0, 1)]);
        var moreMask = cat([mask, zeros(1, 3)]);
        TensorAssert.Same(LossAggregation.TokenMean.Apply(losses, mask), LossAggregation.TokenMean.Apply(more, moreMask));
        foreach (var aggregation in new[] { LossAggregation.SequenceMean, LossAggregation.SequenceSum(3) })
            TensorAssert.Close(aggregation.Apply(losses, mask) * 2 / 3, aggregation.Apply(more, moreMask), 1e-15);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void EmptyMask_GivesZeroAndZeroGradients(string name)
    {
        using var scope = NewDisposeScope();
        var losses = full([2, 3], double.NaN, dtype: ScalarType.Float64);
        var mask = zeros(2, 3);
        TensorAssert.Close(0, Of(name).Apply(losses, mask), 0);
        TensorAssert.Zero(Numbers.Gradient(x => Of(name).Apply(x, mask), losses));
        TensorAssert.Close(0, Of(name).Apply(losses, mask, 0), 0);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradient_AgreesWithDifferences_AndOnlyTheResultStaysAlive(string name)
    {
        using var losses = Numbers.Uniform(5, 1, 3, 4);
        using var mask = Numbers.Mask(4, 4, 1, 3);
        GradientCheck.Run(inputs => Of(name).Apply(inputs[0].square(), mask), losses);
        Ownership.Check(() => [Of(name).Apply(losses, mask)], losses, mask);
        Ownership.Check(
            () =>
            {
                Of(name).Denominator(mask);
                return [];
            },
            mask
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var rank = Assert.Throws<ArgumentException>(() => LossAggregation.TokenMean.Apply(zeros(3), zeros(3)));
        Assert.Contains("losses has shape [3], expected [B,T]", rank.Message, StringComparison.Ordinal);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => LossAggregation.TokenMean.Apply(zeros(2, 3), zeros(2, 4))).ParamName);
        Assert.Equal(
            "losses",
            Assert
                .Throws<ArgumentException>(() => LossAggregation.TokenMean.Apply(zeros(2, 3, dtype: ScalarType.Int64), zeros(2, 3)))
                .ParamName
        );
        foreach (double wrong in new[] { -1, double.NaN, double.PositiveInfinity })
            Assert.Equal(
                "denominator",
                Assert.Throws<ArgumentOutOfRangeException>(() => LossAggregation.TokenMean.Apply(zeros(2, 3), zeros(2, 3), wrong)).ParamName
            );
        foreach (double wrong in new[] { 0, -1, double.NaN, double.PositiveInfinity })
            Assert.Equal("normalizer", Assert.Throws<ArgumentOutOfRangeException>(() => LossAggregation.SequenceSum(wrong)).ParamName);
    }

    [Fact]
    public void Equality_IsByValue()
    {
        Assert.Equal(LossAggregation.SequenceSum(5), LossAggregation.SequenceSum(5));
        Assert.NotEqual(LossAggregation.SequenceSum(5), LossAggregation.SequenceSum(6));
        Assert.NotEqual(LossAggregation.TokenMean, LossAggregation.SequenceMean);
        Assert.Equal(LossAggregation.SequenceSum(1), LossAggregation.SequenceMeanOfSums);
        Assert.Equal("token sum", LossAggregation.TokenSum.ToString());
        Assert.Equal("sequence sum / 2.5", LossAggregation.SequenceSum(2.5).ToString());
    }
}
