using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class KlDivergenceTests
{
    public static TheoryData<KlEstimator> Estimators => new(KlEstimator.K1, KlEstimator.K2, KlEstimator.K3);

    [Theory]
    [InlineData(KlEstimator.K1, 1, -0.6931471805599453, 0)]
    [InlineData(KlEstimator.K2, 0.5, 0.2402265069591007, 0)]
    [InlineData(KlEstimator.K3, 0.36787944117144233, 0.3068528194400547, 0)]
    public void Estimate_GivesTheHandWorkedNumbers(KlEstimator estimator, double one, double minusLogTwo, double zero)
    {
        using var scope = NewDisposeScope();
        // d = 1, −log 2, 0. k3: 1/e − 1 + 1; 2 − 1 − log 2; 0.
        var logProbs = tensor(new[] { -1, -1.6931471805599453, -0.25 });
        var reference = tensor(new[] { -2, -1, -0.25 });
        TensorAssert.Close([one, minusLogTwo, zero], KlDivergence.Estimate(logProbs, reference, estimator), 1e-15);
        var single = KlDivergence.Estimate(logProbs.to_type(ScalarType.Float32), reference.to_type(ScalarType.Float32), estimator);
        Assert.Equal(ScalarType.Float32, single.dtype);
        TensorAssert.Close([one, minusLogTwo, zero], single, 1e-6);
    }

    [Fact]
    public void K3_IsTheDefault()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Close([0.36787944117144233], KlDivergence.Estimate(zeros(1), full([1], -1.0)), 1e-6);
    }

    [Fact]
    public void K3_KeepsItsDigitsNearZero_AndIsNeverNegative()
    {
        using var scope = NewDisposeScope();
        // d²/2 − d³/6 at d = ±1e-6: e^{−d} − 1 + d as written leaves three digits of these.
        var estimate = Numbers.Values(KlDivergence.Estimate(tensor(new[] { 1e-6, -1e-6 }), zeros(2, dtype: ScalarType.Float64)));
        Assert.Equal(1, estimate[0] / 4.999998333333750e-13, 1e-9);
        Assert.Equal(1, estimate[1] / 5.000001666667083e-13, 1e-9);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var small = pow(10, linspace(-9, 2, 2000, dtype: ScalarType.Float64)).to_type(type);
            var both = cat([small, small.neg()]);
            Assert.All(Numbers.Values(KlDivergence.Estimate(both, zeros_like(both))), value => Assert.True(value >= 0, $"k3 is {value}"));
        }
    }

    [Theory]
    [MemberData(nameof(Estimators))]
    public void Gradient_AgreesWithDifferences_AndNoneReachesTheReference(KlEstimator estimator)
    {
        using var scope = NewDisposeScope();
        var reference = Numbers.Uniform(1, 1, 6).requires_grad_(true);
        var weight = Numbers.Uniform(2, 1, 6);
        GradientCheck.Run(inputs => (KlDivergence.Estimate(inputs[0], reference, estimator) * weight).sum(), Numbers.Uniform(3, 1, 6));
        Assert.True(reference.grad is null);
    }

    /// <summary>On π = (0.5, 0.3, 0.2) against π_ref = (0.2, 0.2, 0.6): the exact expectations over tokens drawn from π.</summary>
    [Fact]
    public void Expectations_ByEnumeration()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new[] { -0.6931471805599453, -1.2039728043259361, -1.6094379124341003 });
        var reference = tensor(new[] { 0.2, 0.2, 0.6 });
        var tokens = arange(3);
        Tensor LogProbs(Tensor z) => TokenLogProbs.Gather(z.expand(3, 3), tokens);
        // E_π[k], the sampling weights being constants: what a loss term's gradient is on average.
        Tensor Expected(Tensor z, KlEstimator estimator) =>
            (LogProbs(z).exp().detach() * KlDivergence.Estimate(LogProbs(z), reference.log(), estimator)).sum();
        Tensor Forward(Tensor z) => (LogProbs(z).exp() * (LogProbs(z) - reference.log())).sum();
        Tensor Reverse(Tensor z) => (reference * (reference.log() - LogProbs(z))).sum();

        // 0.5 log 2.5 + 0.3 log 1.5 − 0.2 log 3
        const double kl = 0.3600624406359049;
        TensorAssert.Close(kl, Forward(logits), 1e-14);
        TensorAssert.Close(kl, Expected(logits, KlEstimator.K1), 1e-12);
        TensorAssert.Close(kl, Expected(logits, KlEstimator.K3), 1e-12);
        Assert.True(Math.Abs(Expected(logits, KlEstimator.K2).ToDouble() - kl) > 1e-3, "k2 is biased");

        TensorAssert.Close([0, 0, 0], Numbers.Gradient(z => Expected(z, KlEstimator.K1), logits), 1e-12);
        TensorAssert.Close(Numbers.Gradient(Forward, logits), Numbers.Gradient(z => Expected(z, KlEstimator.K2), logits), 1e-12);
        TensorAssert.Close(Numbers.Gradient(Reverse, logits), Numbers.Gradient(z => Expected(z, KlEstimator.K3), logits), 1e-12);
        // ∇KL(π_ref‖π) with respect to the logits is π − π_ref.
        TensorAssert.Close([0.3, 0.1, -0.4], Numbers.Gradient(z => Expected(z, KlEstimator.K3), logits), 1e-12);
    }

    [Theory]
    [MemberData(nameof(Estimators))]
    public void Mask_KeepsWhatDoesNotCountOutOfValueAndGradient(KlEstimator estimator)
    {
        using var scope = NewDisposeScope();
        var logProbs = Numbers.Uniform(4, 1, 2, 3);
        var reference = Numbers.Uniform(5, 1, 2, 3);
        var mask = Numbers.Mask(3, 2, 1);
        var expected = KlDivergence.Estimate(logProbs, reference, estimator) * mask;
        var gradient = Numbers.Gradient(x => (KlDivergence.Estimate(x, reference, estimator) * mask).sum(), logProbs);
        foreach (double poison in new[] { double.NaN, double.NegativeInfinity })
        {
            var poisoned = reference.masked_fill(mask == 0, poison);
            TensorAssert.Same(expected, KlDivergence.Estimate(logProbs, poisoned, mask, estimator));
            TensorAssert.Same(gradient, Numbers.Gradient(x => KlDivergence.Estimate(x, poisoned, mask, estimator).sum(), logProbs));
        }
        var counted = logProbs.clone();
        counted[0, 0] = tensor(double.NaN);
        Assert.True(double.IsNaN(Numbers.Values(KlDivergence.Estimate(counted, reference, mask, estimator))[0]));
    }

    [Fact]
    public void ExtremeLogProbs_AreFiniteWhereTheEstimatorIs()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var logProbs = tensor(new[] { 1e4, -1e4 }).to_type(type);
            var reference = zeros_like(logProbs);
            TensorAssert.Close([1e4, -1e4], KlDivergence.Estimate(logProbs, reference, KlEstimator.K1), 0);
            TensorAssert.Close([5e7, 5e7], KlDivergence.Estimate(logProbs, reference, KlEstimator.K2), 0);
            // e^{1e4} is beyond any type: k3 of a token that π has all but given up is +∞, and its gradient −∞; NaN is neither.
            TensorAssert.Close([9999, double.PositiveInfinity], KlDivergence.Estimate(logProbs, reference), 1e-12);
            TensorAssert.Close([1, double.NegativeInfinity], Numbers.Gradient(x => KlDivergence.Estimate(x, reference).sum(), logProbs), 0);
        }
    }

    [Theory]
    [MemberData(nameof(Estimators))]
    public void OnlyTheResultStaysAlive(KlEstimator estimator)
    {
        using var logProbs = Numbers.Uniform(6, 1, 2, 3).requires_grad_(true);
        using var reference = Numbers.Uniform(7, 1, 2, 3);
        using var mask = Numbers.Mask(3, 2, 1);
        Ownership.Check(() => [KlDivergence.Estimate(logProbs, reference, estimator)], logProbs, reference);
        Ownership.Check(() => [KlDivergence.Estimate(logProbs, reference, mask, estimator)], logProbs, reference, mask);
    }

    [Fact]
    public void Errors_NameWhatWasGivenAndExpected()
    {
        using var scope = NewDisposeScope();
        var shape = Assert.Throws<ArgumentException>(() => KlDivergence.Estimate(zeros(2, 3), zeros(3, 2)));
        Assert.Equal("referenceLogProbs", shape.ParamName);
        Assert.Contains("[3, 2], expected [2, 3] as logProbs", shape.Message, StringComparison.Ordinal);
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => KlDivergence.Estimate(zeros(2), zeros(2), zeros(3))).ParamName);
        Assert.Equal("logProbs", Assert.Throws<ArgumentException>(() => KlDivergence.Estimate(zeros(2, dtype: ScalarType.Int64), zeros(2))).ParamName);
        Assert.Equal("estimator", Assert.Throws<ArgumentOutOfRangeException>(() => KlDivergence.Estimate(zeros(2), zeros(2), (KlEstimator)7)).ParamName);
    }
}
