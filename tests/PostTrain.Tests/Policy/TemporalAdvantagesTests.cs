using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

public sealed class TemporalAdvantagesTests
{
    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void Generalized_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var rewards = tensor(
                new double[,]
                {
                    { 1, 0, 2 },
                }
            )
            .to_type(type);
        var values = tensor(
                new double[,]
                {
                    { 3, 1, 4 },
                }
            )
            .to_type(type);
        // γ = ½, λ = ½: δ = 1 + ½ − 3, 0 + 2 − 1, 2 − 4 = −1.5, 1, −2; A = −1.5 + ¼·½, 1 − ½, −2
        var estimate = Advantages.Gae(rewards, values, ones(1, 3), 0.5, 0.5);
        TensorAssert.Close([-1.375, 0.5, -2], estimate.Advantages, tolerance);
        TensorAssert.Close([1.625, 1.5, 2], estimate.Returns, tolerance);
        Assert.Equal(type, estimate.Advantages.dtype);
        // Cut off with the value 6 behind: the last δ is 2 + 3 − 4 = 1, A = −1.5 + ¼·1.25, 1 + ¼, 1
        TensorAssert.Close(
            [-1.1875, 1.25, 1],
            Advantages.Gae(rewards, values, ones(1, 3), 0.5, 0.5, tensor(new double[] { 6 })).Advantages,
            tolerance
        );
        // The middle position is a tool's: 1 + ½·4 − 3 = 0 is followed by −2.
        var masked = Advantages.Gae(
            rewards,
            values,
            tensor(
                new double[,]
                {
                    { 1, 0, 1 },
                }
            ),
            0.5,
            0.5
        );
        TensorAssert.Close([-0.5, 0, -2], masked.Advantages, tolerance);
        TensorAssert.Close([2.5, 0, 2], masked.Returns, tolerance);
    }

    /// <summary>The recursion A_t = δ_t + γλA_{t+1}, in plain numbers, carried through what the mask leaves out; rows longer than a
    /// block.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 0.95)]
    [InlineData(0.9, 0)]
    [InlineData(0, 0.5)]
    public void Generalized_IsTheRecursion(double gamma, double lambda)
    {
        using var scope = NewDisposeScope();
        const int Rows = 4,
            Columns = 300;
        var (rewards, values) = (Numbers.Uniform(1, 2, Rows, Columns), Numbers.Uniform(2, 2, Rows, Columns));
        var mask = (Numbers.Uniform(3, 1, Rows, Columns) > -0.5).to_type(ScalarType.Float64);
        mask[0] = ones(Columns, dtype: ScalarType.Float64);
        mask[3] = zeros(Columns, dtype: ScalarType.Float64);
        var bootstrap = Numbers.Uniform(4, 2, Rows);
        double[] r = Numbers.Values(rewards),
            v = Numbers.Values(values),
            m = Numbers.Values(mask),
            b = Numbers.Values(bootstrap);
        var (advantages, returns) = (new double[Rows * Columns], new double[Rows * Columns]);
        for (int row = 0; row < Rows; row++)
        {
            double next = b[row],
                carried = 0,
                gain = b[row];
            for (int t = Columns - 1; t >= 0; t--)
            {
                int i = row * Columns + t;
                if (m[i] == 0)
                    continue;
                carried = r[i] + gamma * next - v[i] + gamma * lambda * carried;
                gain = r[i] + gamma * gain;
                (advantages[i], returns[i], next) = (carried, gain, v[i]);
            }
        }
        TensorAssert.Close(advantages, Advantages.Gae(rewards, values, mask, gamma, lambda, bootstrap).Advantages, 1e-12);
        TensorAssert.Close(returns, Advantages.Returns(rewards, mask, gamma, bootstrap), 1e-12);
    }

    [Fact]
    public void Limits_OfLambda()
    {
        using var scope = NewDisposeScope();
        var (rewards, values, mask) = (Numbers.Uniform(5, 2, 3, 6), Numbers.Uniform(6, 2, 3, 6), Numbers.Mask(6, 6, 3, 1));
        TensorAssert.Close(Advantages.Returns(rewards, mask, 0.9), Advantages.Gae(rewards, values, mask, 0.9, 1).Returns, 1e-13, "λ = 1");
        // On-policy V-trace is the λ-return, and without its trace one temporal difference.
        var logProbs = Numbers.Uniform(7, 1, 3, 6);
        var trace = Advantages.VTrace(logProbs, logProbs, rewards, values, mask, new VTraceOptions { Gamma = 0.9, Lambda = 0.7 });
        TensorAssert.Close(Advantages.Gae(rewards, values, mask, 0.9, 0.7).Returns, trace.Returns, 1e-13, "V-trace on-policy");
        TensorAssert.Close(
            Advantages.Gae(rewards, values, mask, 0.9, 0).Advantages,
            Advantages.VTrace(logProbs, logProbs, rewards, values, mask, new VTraceOptions { Gamma = 0.9, Lambda = 0 }).Advantages
                - 0.9 * Shifted(Advantages.Gae(rewards, values, mask, 0.9, 0).Advantages),
            1e-13,
            "V-trace with λ = 0"
        );
        // γ = λ = 1 and one score at the end: every return is the score.
        var score = TokenRewards.AtLastToken(tensor(new[] { 2.0, -1, 5 }), mask);
        TensorAssert.Close(mask * tensor(new[] { 2.0, -1, 5 }).unsqueeze(1), Advantages.Returns(score, mask), 1e-15);
    }

    private static Tensor Shifted(Tensor x) => cat([x.narrow(1, 1, x.shape[1] - 1), zeros(x.shape[0], 1, dtype: x.dtype)], 1);

    [Fact]
    public void VTrace_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // Ratios 2 and ½, γ = ½, V = 1, 3; ρ̄ = 1, c̄ = 1: δ = 1·(1 + 1.5 − 1), ½(2 − 3) = 1.5, −0.5; v = 1 + 1.5 + ½·1·(−0.5), 3 − 0.5
        var logProbs = tensor(
            new double[,]
            {
                { Math.Log(2), Math.Log(0.5) },
            }
        );
        var estimate = Advantages.VTrace(
            logProbs,
            zeros_like(logProbs),
            tensor(
                new double[,]
                {
                    { 1, 2 },
                }
            ),
            tensor(
                new double[,]
                {
                    { 1, 3 },
                }
            ),
            ones(1, 2),
            new VTraceOptions { Gamma = 0.5 }
        );
        TensorAssert.Close([2.25, 2.5], estimate.Returns, 1e-15);
        // ρ(r + γv' − V) = 1 + 1.25 − 1, ½(2 − 3)
        TensorAssert.Close([1.25, -0.5], estimate.Advantages, 1e-15);
        // ρ̄ = 2 doubles the first difference.
        TensorAssert.Close(
            [2.5, -0.5],
            Advantages
                .VTrace(
                    logProbs,
                    zeros_like(logProbs),
                    tensor(
                        new double[,]
                        {
                            { 1, 2 },
                        }
                    ),
                    tensor(
                        new double[,]
                        {
                            { 1, 3 },
                        }
                    ),
                    ones(1, 2),
                    new VTraceOptions { Gamma = 0.5, RhoBar = 2 }
                )
                .Advantages,
            1e-15
        );
    }

    [Fact]
    public void WhatDoesNotCount_IsNotRead_AndNothingGivesZero()
    {
        using var scope = NewDisposeScope();
        var (rewards, values, mask) = (Numbers.Uniform(8, 2, 2, 4), Numbers.Uniform(9, 2, 2, 4), Numbers.Mask(4, 2, 3));
        var clean = Advantages.Gae(rewards, values, mask);
        foreach (double poison in new[] { double.NaN, double.PositiveInfinity })
        {
            var (badRewards, badValues) = (rewards.masked_fill(mask == 0, poison), values.masked_fill(mask == 0, poison));
            TensorAssert.Same(clean.Advantages, Advantages.Gae(badRewards, badValues, mask).Advantages);
            TensorAssert.Same(Advantages.Returns(rewards, mask), Advantages.Returns(badRewards, mask));
            TensorAssert.Same(
                Advantages.VTrace(values, rewards, rewards, values, mask).Advantages,
                Advantages.VTrace(badValues, badRewards, badRewards, badValues, mask).Advantages
            );
        }
        var dropped = Advantages.Gae(rewards.narrow(1, 0, 3), values.narrow(1, 0, 3), mask.narrow(1, 0, 3));
        TensorAssert.Close(dropped.Advantages, clean.Advantages.narrow(1, 0, 3), 1e-15);
        TensorAssert.Zero(Advantages.Gae(rewards, values, zeros(2, 4), bootstrap: ones(2)).Advantages);
        Assert.Equal([2, 0], Advantages.Gae(rewards.narrow(1, 0, 0), values.narrow(1, 0, 0), mask.narrow(1, 0, 0)).Advantages.shape);
        Assert.True(double.IsNaN(Advantages.Gae(rewards.masked_fill(mask == 1, double.NaN), values, mask).Advantages[0, 0].ToDouble()));
    }

    [Fact]
    public void OnlyTheResultsStayAlive_WithoutAGradient()
    {
        using var rewards = Numbers.Uniform(10, 1, 2, 3).requires_grad_(true);
        using var values = Numbers.Uniform(11, 1, 2, 3).requires_grad_(true);
        using var mask = Numbers.Mask(3, 3, 1);
        using var bootstrap = Numbers.Uniform(12, 1, 2);
        Ownership.Check(() => All(Advantages.Gae(rewards, values, mask, bootstrap: bootstrap)), rewards, values, mask, bootstrap);
        Ownership.Check(
            () => All(Advantages.VTrace(values, rewards, rewards, values, mask, bootstrap: bootstrap)),
            rewards,
            values,
            mask,
            bootstrap
        );
        Ownership.Check(() => [Advantages.Returns(rewards, mask, 0.5, bootstrap)], rewards, mask, bootstrap);
        using var scope = NewDisposeScope();
        Assert.False(Advantages.Gae(rewards, values, mask).Returns.requires_grad);
    }

    private static Tensor[] All(AdvantageEstimate estimate) => [estimate.Advantages, estimate.Returns];

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var x = zeros(2, 3);
        Assert.Contains(
            "rewards has shape [3], expected [B,T]",
            Assert.Throws<ArgumentException>(() => Advantages.Gae(zeros(3), x, x)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("values", Assert.Throws<ArgumentException>(() => Advantages.Gae(x, zeros(2, 2), x)).ParamName);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => Advantages.Returns(x, zeros(3, 2))).ParamName);
        Assert.Equal("gamma", Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.Gae(x, x, x, 1.5)).ParamName);
        Assert.Equal("lambda", Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.Gae(x, x, x, 1, -0.1)).ParamName);
        Assert.Contains(
            "bootstrap has shape [3], expected [2]",
            Assert.Throws<ArgumentException>(() => Advantages.Returns(x, x, bootstrap: zeros(3))).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            "RhoBar",
            Assert.Throws<ArgumentOutOfRangeException>(() => Advantages.VTrace(x, x, x, x, x, new VTraceOptions { RhoBar = 0 })).ParamName
        );
    }
}
