using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class PolicyLossesTests
{
    // Ratios 1.5, 1.5, 0.5 | 0.5, 1.1, and one that does not count.
    private static readonly double[,] LogRatios =
    {
        { 0.4054651081081644, 0.4054651081081644, -0.6931471805599453 },
        { -0.6931471805599453, 0.09531017980432493, 3 },
    };
    private static readonly double[,] Signal =
    {
        { 2, -1, 2 },
        { -1, 3, 5 },
    };

    private static Tensor Loss(
        Tensor logProbs,
        Tensor old,
        Tensor advantages,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    ) => PolicyLosses.ClippedSurrogate(logProbs, old, advantages, mask, 0.2, aggregation, denominator).Loss;

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void ClippedSurrogate_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var old = full([2, 3], -0.5, dtype: type);
        var logProbs = tensor(LogRatios).to_type(type) + old;
        var advantages = tensor(Signal).to_type(type);
        var mask = Numbers.Mask(3, 3, 2);
        var loss = PolicyLosses.ClippedSurrogate(logProbs, old, advantages, mask, 0.2);
        // −min(3, 2.4), −min(−1.5, −1.2), −min(1, 1.6) | −min(−0.5, −0.8), −min(3.3, 3.3)
        TensorAssert.Close([-2.4, 1.5, -1, 0.8, -3.3, 0], loss.TokenLosses, tolerance);
        TensorAssert.Close(-0.88, loss.Loss, tolerance);
        TensorAssert.Close(0.4, loss.ClipFraction, tolerance);
        // ρ − 1 − log ρ: 0.0945348918918356 twice, 0.1931471805599453 twice, 0.0046898201956751
        TensorAssert.Close(0.1160107930198474, loss.OldKl, tolerance);
        Assert.Equal(type, loss.Loss.dtype);
        // (−1.9/3 − 2.5/2)/2
        TensorAssert.Close(-0.9416666666666667, Loss(logProbs, old, advantages, mask, LossAggregation.SequenceMean), tolerance);
        // −Aρ where the clip does not cut, over 5 tokens.
        TensorAssert.Close([0, 0.3, -0.2, 0, -0.66, 0], Numbers.Gradient(x => Loss(x, old, advantages, mask), logProbs), tolerance);
    }

    [Fact]
    public void TheRangeMayDifferOnItsSides()
    {
        using var scope = NewDisposeScope();
        var old = zeros(1, 2, dtype: ScalarType.Float64);
        var logProbs = tensor(
            new[,]
            {
                { 0.4054651081081644, -0.6931471805599453 },
            }
        );
        var advantages = tensor(
            new double[,]
            {
                { 1, -1 },
            }
        );
        Tensor Losses(ClipRange clip) => PolicyLosses.ClippedSurrogate(logProbs, old, advantages, ones(1, 2), clip).TokenLosses;
        TensorAssert.Close([-1.28, 0.8], Losses(new ClipRange(0.2, 0.28)), 1e-14);
        TensorAssert.Close([-1.5, 0.8], Losses(new ClipRange(0.2, 0.6)), 1e-14);
        TensorAssert.Close([-1.2, 0.5], Losses(new ClipRange(0.6, 0.2)), 1e-14);
    }

    [Fact]
    public void OneAdvantageASequence_StandsForAllItsTokens()
    {
        using var scope = NewDisposeScope();
        var (logProbs, old, mask) = (Numbers.Uniform(1, 1, 3, 4), Numbers.Uniform(2, 1, 3, 4), Numbers.Mask(4, 4, 1, 2));
        var advantages = Numbers.Uniform(3, 2, 3);
        TensorAssert.Same(Loss(logProbs, old, advantages.unsqueeze(1).repeat(1, 4), mask), Loss(logProbs, old, advantages, mask));
    }

    /// <summary>While the policy is the one that sampled, the loss's gradient is −A∇log π, whatever the clip.</summary>
    [Fact]
    public void FirstStep_IsThePolicyGradient()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(4, 2, 2, 3, 5);
        var tokens = Numbers.Ids(5, 5, 2, 3);
        var (advantages, mask) = (Numbers.Uniform(6, 2, 2, 3), Numbers.Mask(3, 3, 2));
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(3) })
        {
            var policyGradient = Numbers.Gradient(z => aggregation.Apply(-TokenLogProbs.Gather(z, tokens) * advantages, mask), logits);
            foreach (double epsilon in new[] { 0, 0.2 })
                TensorAssert.Close(
                    policyGradient,
                    Numbers.Gradient(
                        z =>
                        {
                            var logProbs = TokenLogProbs.Gather(z, tokens);
                            return PolicyLosses.ClippedSurrogate(logProbs, logProbs, advantages, mask, epsilon, aggregation).Loss;
                        },
                        logits
                    ),
                    1e-15
                );
        }
    }

    [Fact]
    public void Gradient_IsExactlyZeroWhereTheClipCuts_AndOnlyThere()
    {
        using var scope = NewDisposeScope();
        var logRatio = linspace(-2, 2, 81, dtype: ScalarType.Float64).unsqueeze(0);
        foreach (double advantage in new[] { 1.5, -1.5 })
        {
            var gradient = Numbers.Values(
                Numbers.Gradient(x => Loss(x, zeros_like(x), full([1], advantage, dtype: ScalarType.Float64), ones(1, 81)), logRatio)
            );
            double[] ratios = [.. Numbers.Values(logRatio).Select(Math.Exp)];
            for (int i = 0; i < ratios.Length; i++)
            {
                bool cut = advantage > 0 ? ratios[i] > 1.2 : ratios[i] < 0.8;
                Assert.True(cut == (gradient[i] == 0), $"ratio {ratios[i]}, advantage {advantage}: gradient {gradient[i]}");
            }
        }
    }

    [Fact]
    public void Gradient_AgreesWithDifferences_AndFlowsOnlyThroughTheLogProbs()
    {
        using var scope = NewDisposeScope();
        var old = Numbers.Uniform(7, 1, 3, 4).requires_grad_(true);
        var advantages = Numbers.Uniform(8, 2, 3, 4).requires_grad_(true);
        var mask = Numbers.Mask(4, 4, 1, 3);
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) })
            GradientCheck.Run(inputs => Loss(inputs[0], old, advantages, mask, aggregation), Numbers.Uniform(9, 1, 3, 4));
        Assert.True(old.grad is null);
        Assert.True(advantages.grad is null);
        var loss = PolicyLosses.ClippedSurrogate(Numbers.Uniform(9, 1, 3, 4).requires_grad_(true), old, advantages, mask, 0.2);
        Assert.True(loss.TokenLosses.requires_grad);
        Assert.False(loss.ClipFraction.requires_grad);
        Assert.False(loss.OldKl.requires_grad);
    }

    [Fact]
    public void WhatDoesNotCount_ChangesNeitherValueNorGradient()
    {
        using var scope = NewDisposeScope();
        Tensor[] clean = [Numbers.Uniform(10, 1, 2, 4), Numbers.Uniform(11, 1, 2, 4), Numbers.Uniform(12, 2, 2, 4)];
        var mask = Numbers.Mask(4, 3, 1);
        var expected = PolicyLosses.ClippedSurrogate(clean[0], clean[1], clean[2], mask, 0.2);
        var gradient = Numbers.Gradient(x => Loss(x, clean[1], clean[2], mask), clean[0]);
        foreach (double poison in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
            for (int which = 0; which < 3; which++)
            {
                Tensor[] inputs = [.. clean];
                inputs[which] = clean[which].masked_fill(mask == 0, poison);
                var loss = PolicyLosses.ClippedSurrogate(inputs[0], inputs[1], inputs[2], mask, 0.2);
                TensorAssert.Same(expected.Loss, loss.Loss);
                TensorAssert.Same(expected.TokenLosses, loss.TokenLosses);
                TensorAssert.Same(expected.ClipFraction, loss.ClipFraction);
                TensorAssert.Same(expected.OldKl, loss.OldKl);
                TensorAssert.Same(gradient, Numbers.Gradient(x => Loss(x, inputs[1], inputs[2], mask), inputs[0]));
            }
        for (int which = 0; which < 3; which++)
        {
            Tensor[] inputs = [.. clean];
            inputs[which] = clean[which].clone();
            inputs[which][0, 0] = tensor(double.NaN);
            Assert.True(double.IsNaN(Loss(inputs[0], inputs[1], inputs[2], mask).ToDouble()), $"a counted NaN of input {which} is lost");
        }
        var empty = PolicyLosses.ClippedSurrogate(clean[0], clean[1], clean[2], zeros(2, 4), 0.2);
        foreach (var value in new[] { empty.Loss, empty.ClipFraction, empty.OldKl })
            TensorAssert.Close(0, value, 0);
        TensorAssert.Zero(Numbers.Gradient(x => Loss(x, clean[1], clean[2], zeros(2, 4)), clean[0]));
    }

    [Fact]
    public void MaskEqualsDropping_AndTheOrderOfRowsDoesNotMatter()
    {
        using var scope = NewDisposeScope();
        var (logProbs, old, advantages) = (Numbers.Uniform(13, 1, 3, 4), Numbers.Uniform(14, 1, 3, 4), Numbers.Uniform(15, 2, 3));
        var mask = Numbers.Mask(4, 2, 2, 0);
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) })
        {
            var loss = Loss(logProbs, old, advantages, mask, aggregation);
            // Two columns and the last row hold nothing that counts; the row still counts as a sequence.
            var dropped = Loss(
                logProbs.narrow(0, 0, 2).narrow(1, 0, 2),
                old.narrow(0, 0, 2).narrow(1, 0, 2),
                advantages.narrow(0, 0, 2),
                ones(2, 2),
                aggregation,
                aggregation.Denominator(mask)
            );
            TensorAssert.Close(dropped, loss, 1e-15);
            var order = tensor(new long[] { 2, 0, 1 });
            TensorAssert.Close(
                loss,
                Loss(
                    logProbs.index_select(0, order),
                    old.index_select(0, order),
                    advantages.index_select(0, order),
                    mask.index_select(0, order),
                    aggregation
                ),
                1e-15
            );
            double denominator = aggregation.Denominator(mask);
            var whole = Numbers.Gradient(x => Loss(x, old, advantages, mask, aggregation), logProbs);
            var parts = Numbers.Gradient(
                x =>
                    Loss(x.narrow(0, 0, 1), old.narrow(0, 0, 1), advantages.narrow(0, 0, 1), mask.narrow(0, 0, 1), aggregation, denominator)
                    + Loss(
                        x.narrow(0, 1, 2),
                        old.narrow(0, 1, 2),
                        advantages.narrow(0, 1, 2),
                        mask.narrow(0, 1, 2),
                        aggregation,
                        denominator
                    ),
                logProbs
            );
            TensorAssert.Close(whole, parts, 1e-12);
        }
    }

    [Fact]
    public void ExtremeRatios_AreFinite()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var logProbs = tensor(
                    new double[,]
                    {
                        { 1e4, -1e4, 1e4, -1e4, -1e4 },
                    }
                )
                .to_type(type);
            var advantages = tensor(
                    new double[,]
                    {
                        { 2, 2, 0, 0, -2 },
                    }
                )
                .to_type(type);
            var old = zeros_like(logProbs);
            TensorAssert.Close(
                [-2.4, 0, 0, 0, 1.6],
                PolicyLosses.ClippedSurrogate(logProbs, old, advantages, ones(1, 5), 0.2).TokenLosses,
                1e-7
            );
            TensorAssert.Zero(Numbers.Gradient(x => Loss(x, old, advantages, ones(1, 5)), logProbs));
            // The one branch without a bound: a bad action that became e^{1e4} times as likely counts as one that became e^20 times,
            // 4.85e8, and has no gradient.
            var bad = tensor(
                    new double[,]
                    {
                        { 1e4 },
                    }
                )
                .to_type(type);
            TensorAssert.Close(1, Loss(bad, zeros_like(bad), -ones_like(bad), ones(1, 1)) / 485165195.40979030, 1e-7);
            TensorAssert.Zero(Numbers.Gradient(x => Loss(x, zeros_like(x), -ones_like(x), ones(1, 1)), bad));
        }
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var logProbs = Numbers.Uniform(16, 1, 2, 3).requires_grad_(true);
        using var old = Numbers.Uniform(17, 1, 2, 3);
        using var advantages = Numbers.Uniform(18, 1, 2);
        using var mask = Numbers.Mask(3, 3, 1);
        Ownership.Check(
            () =>
            {
                var loss = PolicyLosses.ClippedSurrogate(logProbs, old, advantages, mask, 0.2);
                return [loss.Loss, loss.TokenLosses, loss.ClipFraction, loss.OldKl];
            },
            logProbs,
            old,
            advantages,
            mask
        );
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2, 3);
        Assert.Contains(
            "logProbs has shape [3], expected [B,T]",
            Assert.Throws<ArgumentException>(() => Loss(zeros(3), x, x, x)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "[2, 4], expected [2, 3] as logProbs",
            Assert.Throws<ArgumentException>(() => Loss(x, zeros(2, 4), x, x)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "advantages has shape [3], expected [2, 3] as logProbs, or [2]",
            Assert.Throws<ArgumentException>(() => Loss(x, x, zeros(3), x)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => Loss(x, x, x, zeros(2))).ParamName);
        Assert.Equal("logProbs", Assert.Throws<ArgumentException>(() => Loss(zeros(2, 3, dtype: ScalarType.Int64), x, x, x)).ParamName);
        Assert.Equal(
            "clip.Lower",
            Assert.Throws<ArgumentOutOfRangeException>(() => PolicyLosses.ClippedSurrogate(x, x, x, x, 1.5)).ParamName
        );
    }
}
