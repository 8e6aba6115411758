using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Value loss, token rewards, masks and the control of the KL penalty.</summary>
public sealed class PpoPartsTests
{
    [Fact]
    public void Value_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var values = tensor(
            new double[,]
            {
                { 2, 2, 0.1, 5 },
            }
        );
        var old = tensor(
            new double[,]
            {
                { 1, 1, 0, 5 },
            }
        );
        var returns = tensor(
            new double[,]
            {
                { 3, 0, 1, 0 },
            }
        );
        var mask = tensor(
            new double[,]
            {
                { 1, 1, 1, 0 },
            }
        );
        // ½·max(1, 1.8²), ½·max(4, 1.2²), ½·0.9²: the first is cut at 1.2.
        var loss = PolicyLosses.Value(values, old, returns, mask, 0.2);
        TensorAssert.Close([1.62, 2, 0.405, 0], loss.TokenLosses, 1e-15);
        TensorAssert.Close((1.62 + 2 + 0.405) / 3, loss.Loss, 1e-15);
        TensorAssert.Close(1.0 / 3, loss.ClipFraction, 1e-15);
        TensorAssert.Close(
            [0, 2.0 / 3, -0.3, 0],
            Numbers.Gradient(x => PolicyLosses.Value(x, old, returns, mask, 0.2).Loss, values),
            1e-15
        );
        TensorAssert.Close([0.5, 2, 0.405, 0], PolicyLosses.Value(values, old, returns, mask).TokenLosses, 1e-15);
        GradientCheck.Run(
            x => PolicyLosses.Value(x[0], old, returns, mask, 0.5, LossAggregation.SequenceMean).Loss,
            Numbers.Uniform(1, 2, 1, 4)
        );
    }

    [Fact]
    public void Value_ReadsOnlyWhatCounts_AndNothingGivesZero()
    {
        using var scope = NewDisposeScope();
        var (values, mask) = (Numbers.Uniform(2, 1, 2, 3), Numbers.Mask(3, 2, 1));
        var clean = Numbers.Gradient(x => PolicyLosses.Value(x, values, values * 2, mask, 0.2).Loss, values);
        var bad = values.masked_fill(mask == 0, double.NaN);
        TensorAssert.Same(clean, Numbers.Gradient(x => PolicyLosses.Value(x, bad, bad * 2, mask, 0.2).Loss, bad));
        TensorAssert.Close(0, PolicyLosses.Value(values, values, values, zeros(2, 3), 0.2).Loss, 0);
        using var x = Numbers.Uniform(3, 1, 2, 3).requires_grad_(true);
        Ownership.Check(
            () =>
            {
                var loss = PolicyLosses.Value(x, values, values, mask, 0.1);
                return [loss.Loss, loss.TokenLosses, loss.ClipFraction];
            },
            x,
            values,
            mask
        );
        Assert.Equal("returns", Assert.Throws<ArgumentException>(() => PolicyLosses.Value(values, values, zeros(2), mask)).ParamName);
        Assert.Equal(
            "clip",
            Assert.Throws<ArgumentOutOfRangeException>(() => PolicyLosses.Value(values, values, values, mask, -1)).ParamName
        );
    }

    [Fact]
    public void Rewards_PutTheScoreAtTheLastToken()
    {
        using var scope = NewDisposeScope();
        var mask = tensor(
            new double[,]
            {
                { 1, 0, 1, 0 },
                { 0, 0, 0, 0 },
            }
        );
        TensorAssert.Close([0, 0, 7, 0, 0, 0, 0, 0], TokenRewards.AtLastToken(tensor(new double[] { 7, 9 }), mask), 0);
        var logProbs = full([2, 4], -1.0, dtype: ScalarType.Float64);
        // β·(−1 + 3) = 0.2 at each counted token.
        TensorAssert.Close(
            [-0.2, 0, 6.8, 0, 0, 0, 0, 0],
            TokenRewards.WithKl(logProbs, logProbs - 2, tensor(new double[] { 7, 9 }), mask, 0.1),
            1e-15
        );
        TensorAssert.Close([1, -2], TokenRewards.PenalizeUnfinished(tensor(new double[] { 1, 1 }), tensor(new[] { true, false }), 3), 0);
        // L_max = 10, L_cache = 4: 0 up to 6, then −¼ a token.
        TensorAssert.Close([0, 0, -0.25, -0.75, -1, -1], TokenRewards.Overlong(tensor(new long[] { 0, 6, 7, 9, 10, 50 }), 10, 4), 0);
        Assert.Equal("buffer", Assert.Throws<ArgumentOutOfRangeException>(() => TokenRewards.Overlong(ones(1), 10, 11)).ParamName);
        Assert.Equal("scores", Assert.Throws<ArgumentException>(() => TokenRewards.AtLastToken(zeros(3), mask)).ParamName);
        Assert.Equal(
            "beta",
            Assert.Throws<ArgumentOutOfRangeException>(() => TokenRewards.WithKl(logProbs, logProbs, zeros(2), mask, -1)).ParamName
        );
        var scores = ones(2);
        Ownership.Check(
            () =>
                [
                    TokenRewards.WithKl(logProbs, logProbs, scores, mask, 1),
                    TokenRewards.AtLastToken(scores, mask),
                    TokenRewards.Overlong(scores, 4, 2),
                ],
            logProbs,
            mask,
            scores
        );
    }

    [Fact]
    public void Masks_KeepWhatTheySay()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Close(
            [1, 1, 0, 1, 1, 1, 1, 0, 0],
            CompletionMasks.UpToStop(
                tensor(
                    new long[,]
                    {
                        { 5, 1, 1 },
                        { 2, 3, 4 },
                        { 1, 5, 6 },
                    }
                ),
                1
            ),
            0
        );
        TensorAssert.Close([0, 0, 1, 1], CompletionMasks.WithoutUnfinished(ones(2, 2), tensor(new[] { 0L, 1 })), 0);
        var entropy = tensor(
            new double[,]
            {
                { 1, 2, 3 },
                { 4, 5, 100 },
            }
        );
        var mask = tensor(
            new double[,]
            {
                { 1, 1, 1 },
                { 1, 1, 0 },
            }
        );
        // Of 1..5 the upper 40 %: the 0.6 quantile is 3.4.
        TensorAssert.Close([0, 0, 0, 1, 1, 0], CompletionMasks.TopEntropy(entropy, mask, 0.4), 0);
        TensorAssert.Close([1, 1, 1, 1, 1, 0], CompletionMasks.TopEntropy(entropy, mask, 1), 0);
        TensorAssert.Close([0, 0, 0, 0, 1, 0], CompletionMasks.TopEntropy(entropy, mask, 0), 0);
        TensorAssert.Zero(CompletionMasks.TopEntropy(entropy, zeros(2, 3), 0.4));
        // Mean drifts 1 and 1 (the last token does not count) and 0: only a bad sequence that drifted is dropped.
        var drift = tensor(
            new double[,]
            {
                { 1, 1 },
                { 1, 50 },
                { 0, 0 },
            }
        );
        TensorAssert.Close(
            [0, 1, 1],
            CompletionMasks.OnPolicySequences(-drift, zeros_like(drift), tensor(new double[] { -1, 1, -1 }), Numbers.Mask(2, 2, 1, 2), 0.5),
            0
        );
        TensorAssert.Close(
            [1, 1, 1],
            CompletionMasks.OnPolicySequences(-drift, zeros_like(drift), tensor(new double[] { -1, -1, -1 }), Numbers.Mask(2, 2, 1, 2), 1),
            0
        );
        Assert.Equal("fraction", Assert.Throws<ArgumentOutOfRangeException>(() => CompletionMasks.TopEntropy(entropy, mask, 2)).ParamName);
    }

    [Fact]
    public void KlControl_FollowsTheDivergence()
    {
        var adaptive = KlControl.Adaptive(0.1, 6, 1000);
        Assert.Equal(0.1 * 1.02, adaptive.Next(60, 100).Coefficient, 1e-15);
        Assert.Equal(0.1 * 0.98, adaptive.Next(0, 100).Coefficient, 1e-15);
        Assert.Equal(0.1 * (1 + 0.1 * 0.1), adaptive.Next(6.6, 100).Coefficient, 1e-15);
        Assert.Equal(0.1, adaptive.Coefficient);
        Assert.Equal(0.3, KlControl.Fixed(0.3).Next(1e9, 1000).Coefficient);
        Assert.True(KlControl.ShouldStop(0.016, 0.01));
        Assert.False(KlControl.ShouldStop(0.015, 0.01));
        Assert.True(KlControl.ShouldStop(double.NaN, 0.01));
        Assert.Equal("target", Assert.Throws<ArgumentOutOfRangeException>(() => KlControl.Adaptive(0.1, 0)).ParamName);
        Assert.Equal("kl", Assert.Throws<ArgumentOutOfRangeException>(() => adaptive.Next(double.NaN, 1)).ParamName);
    }
}
