using PostTrain.Numerics;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Supervised;

public sealed class SupervisedLossesTests
{
    private static Tensor Nll(
        Tensor logits,
        Tensor targets,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    ) => SupervisedLosses.NegativeLogLikelihood(logits, targets, mask, aggregation, denominator).Loss;

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void NegativeLogLikelihood_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        // Probabilities 1/8, 2/8, 5/8 everywhere; the counted targets 2, 0, 1 cost log 1.6, log 8, log 4.
        var logits = tensor(new[] { 0, 0.6931471805599453, 1.6094379124341003 }).to_type(type).expand(2, 2, 3);
        var targets = tensor(
            new long[,]
            {
                { 2, 0 },
                { 1, 2 },
            }
        );
        var mask = Numbers.Mask(2, 2, 1);
        var loss = SupervisedLosses.NegativeLogLikelihood(logits, targets, mask);
        TensorAssert.Close([0.4700036292457356, 2.0794415416798357, 1.3862943611198906, 0], loss.TokenLosses, tolerance);
        TensorAssert.Close(1.311913177348487, loss.Loss, tolerance);
        TensorAssert.Close(0.3333333333333333, loss.Accuracy, tolerance);
        Assert.Equal(type, loss.Loss.dtype);
        // ((0.47 + 2.079)/2 + 1.386)/2
        TensorAssert.Close(1.3305084732913381, Nll(logits, targets, mask, LossAggregation.SequenceMean), tolerance);
        TensorAssert.Close(0.3935739532045461, Nll(logits, targets, mask, denominator: 10), tolerance);
        // (softmax − onehot)·m/3
        TensorAssert.Close(
            [0.125 / 3, 0.25 / 3, -0.375 / 3, -0.875 / 3, 0.25 / 3, 0.625 / 3, 0.125 / 3, -0.75 / 3, 0.625 / 3, 0, 0, 0],
            Numbers.Gradient(z => Nll(z, targets, mask), logits),
            tolerance
        );
    }

    [Fact]
    public void Diagnostics_AreDetached_AndTokenLossesAreNot()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(1, 1, 2, 3, 4).requires_grad_(true);
        var loss = SupervisedLosses.NegativeLogLikelihood(logits, Numbers.Ids(2, 4, 2, 3), Numbers.Mask(3, 3, 2));
        Assert.True(loss.Loss.requires_grad);
        Assert.True(loss.TokenLosses.requires_grad);
        Assert.False(loss.Accuracy.requires_grad);
    }

    [Fact]
    public void Gradient_AgreesWithDifferences()
    {
        using var scope = NewDisposeScope();
        var targets = Numbers.Ids(3, 4, 3, 4);
        var mask = Numbers.Mask(4, 4, 1, 2);
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) })
            GradientCheck.Run(inputs => Nll(inputs[0], targets, mask, aggregation), Numbers.Uniform(4, 2, 3, 4, 4));
    }

    [Fact]
    public void WhatDoesNotCount_ChangesNeitherValueNorGradient()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(5, 2, 3, 4, 5);
        var targets = Numbers.Ids(6, 5, 3, 4);
        var mask = Numbers.Mask(4, 4, 2, 1);
        var outside = mask == 0;
        var expected = SupervisedLosses.NegativeLogLikelihood(logits, targets, mask);
        var gradient = Numbers.Gradient(z => Nll(z, targets, mask), logits);
        foreach (double poison in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
        {
            var poisoned = logits.masked_fill(outside.unsqueeze(-1), poison);
            var ignored = targets.masked_fill(outside, -100);
            var loss = SupervisedLosses.NegativeLogLikelihood(poisoned, ignored, mask);
            TensorAssert.Same(expected.Loss, loss.Loss);
            TensorAssert.Same(expected.TokenLosses, loss.TokenLosses);
            TensorAssert.Same(expected.Accuracy, loss.Accuracy);
            TensorAssert.Same(gradient, Numbers.Gradient(z => Nll(z, ignored, mask), poisoned));
        }
        var counted = logits.clone();
        counted[0, 0, 0] = tensor(double.NaN);
        Assert.True(double.IsNaN(Nll(counted, targets, mask).ToDouble()));
    }

    [Fact]
    public void MaskEqualsDropping_OrderAndPaddingDoNotMatter()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(7, 2, 3, 4, 5);
        var targets = Numbers.Ids(8, 5, 3, 4);
        var mask = Numbers.Mask(4, 4, 2, 0);
        var loss = Nll(logits, targets, mask);
        // The positions that count, as one row.
        var places = mask.reshape(-1).nonzero().squeeze(-1);
        var dropped = Nll(
            logits.reshape(-1, 5).index_select(0, places).unsqueeze(0),
            targets.reshape(-1).index_select(0, places).unsqueeze(0),
            ones(1, 6)
        );
        TensorAssert.Close(dropped, loss, 1e-14);
        // A whole row that does not count.
        TensorAssert.Close(Nll(logits.narrow(0, 0, 2), targets.narrow(0, 0, 2), mask.narrow(0, 0, 2)), loss, 1e-14);
        var order = tensor(new long[] { 1, 2, 0 });
        TensorAssert.Close(Nll(logits.index_select(0, order), targets.index_select(0, order), mask.index_select(0, order)), loss, 1e-14);
        var padded = Nll(
            cat([logits, zeros(3, 2, 5, dtype: ScalarType.Float64)], 1),
            cat([targets, zeros(3, 2, dtype: ScalarType.Int64)], 1),
            cat([mask, zeros(3, 2)], 1)
        );
        TensorAssert.Close(loss, padded, 1e-14);
    }

    [Fact]
    public void EmptyMask_GivesZeroAndZeroGradients()
    {
        using var scope = NewDisposeScope();
        var logits = full([2, 3, 4], double.NaN, dtype: ScalarType.Float64);
        var targets = zeros(2, 3, dtype: ScalarType.Int64);
        var loss = SupervisedLosses.NegativeLogLikelihood(logits, targets, zeros(2, 3));
        TensorAssert.Close(0, loss.Loss, 0);
        TensorAssert.Close(0, loss.Accuracy, 0);
        TensorAssert.Zero(Numbers.Gradient(z => Nll(z, targets, zeros(2, 3)), logits));
    }

    [Fact]
    public void MicroBatches_GiveTheWholeBatchesGradient()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(9, 2, 4, 5, 6);
        var targets = Numbers.Ids(10, 6, 4, 5);
        var mask = Numbers.Mask(5, 5, 1, 0, 3);
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(5) })
        {
            double denominator = aggregation.Denominator(mask);
            var whole = Numbers.Gradient(z => Nll(z, targets, mask, aggregation), logits);
            var parts = Numbers.Gradient(
                z =>
                    Nll(z.narrow(0, 0, 1), targets.narrow(0, 0, 1), mask.narrow(0, 0, 1), aggregation, denominator)
                    + Nll(z.narrow(0, 1, 3), targets.narrow(0, 1, 3), mask.narrow(0, 1, 3), aggregation, denominator),
                logits
            );
            TensorAssert.Close(whole, parts, 1e-12);
        }
    }

    [Fact]
    public void ExtremeLogits_GiveFiniteLossAndGradient()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var logits = tensor(
                    new double[,,]
                    {
                        {
                            { 1e4, -1e4 },
                            { -1e4, 1e4 },
                        },
                    }
                )
                .to_type(type);
            var targets = tensor(
                new long[,]
                {
                    { 1, 1 },
                }
            );
            TensorAssert.Close(1e4, Nll(logits, targets, ones(1, 2)), 0);
            TensorAssert.Close([0.5, -0.5, 0, 0], Numbers.Gradient(z => Nll(z, targets, ones(1, 2)), logits), 0);
        }
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var logits = Numbers.Uniform(11, 1, 2, 3, 4).requires_grad_(true);
        using var targets = Numbers.Ids(12, 4, 2, 3);
        using var mask = Numbers.Mask(3, 3, 1);
        Ownership.Check(
            () =>
            {
                var loss = SupervisedLosses.NegativeLogLikelihood(logits, targets, mask);
                return [loss.Loss, loss.TokenLosses, loss.Accuracy];
            },
            logits,
            targets,
            mask
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var ids = zeros(2, 3, dtype: ScalarType.Int64);
        var rank = Assert.Throws<ArgumentException>(() => Nll(zeros(3, 4), ids, zeros(2, 3)));
        Assert.Contains("logits has shape [3, 4], expected [B,T,V]", rank.Message, StringComparison.Ordinal);
        Assert.Equal("targets", Assert.Throws<ArgumentException>(() => Nll(zeros(2, 4, 5), ids, zeros(2, 4))).ParamName);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => Nll(zeros(2, 3, 5), ids, zeros(2, 4))).ParamName);
        Assert.Equal(
            "denominator",
            Assert.Throws<ArgumentOutOfRangeException>(() => Nll(zeros(2, 3, 5), ids, zeros(2, 3), denominator: -1)).ParamName
        );
    }
}
