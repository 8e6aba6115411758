using PostTrain.Numerics;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Numerics;

public sealed class KlDivergenceTests
{
    public static TheoryData<KlEstimator> Estimators =>
        new(
            KlEstimator.K1,
            KlEstimator.K2,
            KlEstimator.K3,
            KlEstimator.Absolute,
            KlEstimator.K3StraightThrough,
            KlEstimator.K1StraightThrough
        );

    [Theory]
    [InlineData(KlEstimator.K1, 1, -0.6931471805599453, 0)]
    [InlineData(KlEstimator.K2, 0.5, 0.2402265069591007, 0)]
    [InlineData(KlEstimator.K3, 0.36787944117144233, 0.3068528194400547, 0)]
    [InlineData(KlEstimator.Absolute, 1, 0.6931471805599453, 0)]
    [InlineData(KlEstimator.K3StraightThrough, 0.36787944117144233, 0.3068528194400547, 0)]
    [InlineData(KlEstimator.K1StraightThrough, 1, -0.6931471805599453, 0)]
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
        var logProbs = Numbers.Uniform(3, 1, 6);
        // The straight-through gradient is on purpose not the value's: it is that of k2.
        if (estimator is KlEstimator.K3StraightThrough or KlEstimator.K1StraightThrough)
            TensorAssert.Close(
                (logProbs - reference.detach()) * weight,
                Numbers.Gradient(x => (KlDivergence.Estimate(x, reference, estimator) * weight).sum(), logProbs),
                1e-15
            );
        else
            GradientCheck.Run(inputs => (KlDivergence.Estimate(inputs[0], reference, estimator) * weight).sum(), logProbs);
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
        TensorAssert.Close(kl, Expected(logits, KlEstimator.K3StraightThrough), 1e-12);
        TensorAssert.Close(
            Numbers.Gradient(Forward, logits),
            Numbers.Gradient(z => Expected(z, KlEstimator.K3StraightThrough), logits),
            1e-12
        );
        TensorAssert.Close(kl, Expected(logits, KlEstimator.K1StraightThrough), 1e-12);
        TensorAssert.Close(
            Numbers.Gradient(Forward, logits),
            Numbers.Gradient(z => Expected(z, KlEstimator.K1StraightThrough), logits),
            1e-12
        );
        TensorAssert.Close(
            0.5 * 0.9162907318741551 + 0.3 * 0.4054651081081644 + 0.2 * 1.0986122886681098,
            Expected(logits, KlEstimator.Absolute),
            1e-12
        );
        // E[sign(d)·∇log π] = π ⊙ (s − Σ π s) for s = (1, 1, −1), Σ π s = 0.6.
        TensorAssert.Close([0.2, 0.12, -0.32], Numbers.Gradient(z => Expected(z, KlEstimator.Absolute), logits), 1e-12);

        // In the reward: only the score function sees the estimate.
        Tensor Score(Tensor z, KlEstimator estimator) =>
            (LogProbs(z).exp().detach() * KlDivergence.Estimate(LogProbs(z), reference.log(), estimator).detach() * LogProbs(z)).sum();
        TensorAssert.Close(Numbers.Gradient(Forward, logits), Numbers.Gradient(z => Score(z, KlEstimator.K1), logits), 1e-12);
        TensorAssert.Close(
            Numbers.Gradient(Forward, logits) - Numbers.Gradient(Reverse, logits),
            Numbers.Gradient(z => Score(z, KlEstimator.K3), logits),
            1e-12
        );

        // Tokens from another policy, (0.25, 0.5, 0.25), and from π itself.
        var all = ones(3);
        foreach (var old in new[] { tensor(new[] { 0.25, 0.5, 0.25 }), logits.exp() })
        foreach (var estimator in new[] { KlEstimator.K1, KlEstimator.K3 })
        {
            Tensor Corrected(Tensor z) =>
                (old * KlDivergence.RatioCorrected(LogProbs(z), old.log(), reference.log(), all, estimator)).sum();
            TensorAssert.Close(kl, Corrected(logits), 1e-12);
            TensorAssert.Close(Numbers.Gradient(Forward, logits), Numbers.Gradient(Corrected, logits), 1e-12);
        }

        TensorAssert.Close(kl, KlDivergence.Exact(logits, reference.log()), 1e-14);
        TensorAssert.Close(Numbers.Gradient(Forward, logits), Numbers.Gradient(z => KlDivergence.Exact(z, reference.log()), logits), 1e-12);
        // ∇KL(π_ref‖π) with respect to the logits is π − π_ref.
        TensorAssert.Close([0.3, 0.1, -0.4], Numbers.Gradient(z => Expected(z, KlEstimator.K3), logits), 1e-12);
    }

    /// <summary>Near the reference k3 varies much less than k1 (as k2 does, in the second order); far from it more.</summary>
    [Fact]
    public void Variance_OfK3IsSmallNearTheReference_AndNotFarFromIt()
    {
        using var scope = NewDisposeScope();
        var direction = tensor(new[] { 1.0, 0.3, -0.2, 0.4, -1.5 });
        double Deviation(double distance, KlEstimator estimator)
        {
            var logProbs = (direction * distance).log_softmax(-1);
            var (drawn, estimate) = (
                logProbs.exp(),
                KlDivergence.Estimate(logProbs, full([5], Math.Log(0.2), dtype: ScalarType.Float64), estimator)
            );
            return Math.Sqrt(((drawn * estimate.square()).sum() - (drawn * estimate).sum().square()).ToDouble());
        }
        foreach (double distance in new[] { 0.01, 0.1 })
        {
            Assert.InRange(Deviation(distance, KlEstimator.K3), 0, distance * Deviation(distance, KlEstimator.K1));
            Assert.Equal(
                Deviation(distance, KlEstimator.K2),
                Deviation(distance, KlEstimator.K3),
                distance * Deviation(distance, KlEstimator.K2)
            );
        }
        Assert.True(Deviation(3, KlEstimator.K3) > Deviation(3, KlEstimator.K1));
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
    public void RatioCorrected_GivesTheHandWorkedNumbers_AndKeepsOutWhatDoesNotCount()
    {
        using var scope = NewDisposeScope();
        // d = 1 and ρ = e^0.5; then d = −log 2 and ρ = 1; the rest does not count.
        var logProbs = tensor(new[] { -1, -1.6931471805599453, double.NaN, -1 });
        var old = tensor(new[] { -1.5, -1.6931471805599453, 0, double.NaN });
        var reference = tensor(new double[] { -2, -1, 0, 0 });
        var mask = tensor(new double[] { 1, 1, 0, 0 });
        TensorAssert.Close(
            [0.6065306597126334, 0.3068528194400547, 0, 0],
            KlDivergence.RatioCorrected(logProbs, old, reference, mask),
            1e-15
        );
        TensorAssert.Close(
            [1.6487212707001282, -0.6931471805599453, 0, 0],
            KlDivergence.RatioCorrected(logProbs, old, reference, mask, KlEstimator.K1),
            1e-15
        );
        TensorAssert.Finite(Numbers.Gradient(x => KlDivergence.RatioCorrected(x, old, reference, mask).sum(), logProbs));
        GradientCheck.Run(
            x => KlDivergence.RatioCorrected(x[0], Numbers.Uniform(30, 1, 5), Numbers.Uniform(31, 1, 5), ones(5)).sum(),
            Numbers.Uniform(32, 1, 5)
        );
    }

    [Fact]
    public void Exact_IsZeroForTheSame_AndKnowsExcludedTokens()
    {
        using var scope = NewDisposeScope();
        var logits = Numbers.Uniform(33, 3, 2, 3, 6);
        // A constant added to the logits changes no distribution.
        TensorAssert.Close(zeros(2, 3, dtype: ScalarType.Float64), KlDivergence.Exact(logits, logits + 5), 1e-14);
        var excluded = tensor(new[] { 0, double.NegativeInfinity });
        var even = zeros(2, dtype: ScalarType.Float64);
        // 1·log(1/(1/2)) + 0; and 1/2·log(1/2 / 0).
        TensorAssert.Close(0.6931471805599453, KlDivergence.Exact(excluded, even), 1e-15);
        TensorAssert.Close(double.PositiveInfinity, KlDivergence.Exact(even, excluded), 0);
        TensorAssert.Zero(Numbers.Gradient(z => KlDivergence.Exact(z, even), excluded));
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var extreme = tensor(new double[] { 1e4, -1e4 }).to_type(type);
            TensorAssert.Close(2e4, KlDivergence.Exact(extreme, extreme.neg()), 1e-7);
            TensorAssert.Finite(Numbers.Gradient(z => KlDivergence.Exact(z, extreme.neg()), extreme));
        }
    }

    [Fact]
    public void Exact_GradientAgreesWithDifferences_AndTheMaskKeepsOut()
    {
        using var scope = NewDisposeScope();
        var (logits, reference) = (Numbers.Uniform(34, 1, 2, 3, 4), Numbers.Uniform(35, 1, 2, 3, 4).requires_grad_(true));
        var (weight, mask) = (Numbers.Uniform(36, 1, 2, 3), Numbers.Mask(3, 2, 1));
        GradientCheck.Run(x => (KlDivergence.Exact(x[0], reference) * weight).sum(), logits);
        GradientCheck.Run(x => (KlDivergence.Exact(x[0], reference, mask) * weight).sum(), logits);
        Assert.True(reference.grad is null);
        var outside = (mask == 0).unsqueeze(-1);
        var (poisoned, poisonedReference) = (logits.masked_fill(outside, double.NaN), reference.detach().masked_fill(outside, double.NaN));
        TensorAssert.Close(KlDivergence.Exact(logits, reference) * mask, KlDivergence.Exact(poisoned, poisonedReference, mask), 1e-15);
        TensorAssert.Finite(Numbers.Gradient(z => KlDivergence.Exact(z, poisonedReference, mask).sum(), poisoned));
        TensorAssert.Zero(KlDivergence.Exact(poisoned, poisonedReference, zeros(2, 3)));
        Ownership.Check(() => [KlDivergence.Exact(logits, reference)], logits, reference);
        Ownership.Check(() => [KlDivergence.Exact(logits, reference, mask)], logits, reference, mask);
        Ownership.Check(() => [KlDivergence.RatioCorrected(logits, logits, reference, logits)], logits, reference);
    }

    [Fact]
    public void Errors_OfTheOtherForms()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(
            "estimator",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    KlDivergence.RatioCorrected(zeros(2), zeros(2), zeros(2), zeros(2), KlEstimator.K2)
                )
                .ParamName
        );
        Assert.Equal(
            "oldLogProbs",
            Assert.Throws<ArgumentException>(() => KlDivergence.RatioCorrected(zeros(2), zeros(3), zeros(2), zeros(2))).ParamName
        );
        Assert.Equal(
            "mask",
            Assert.Throws<ArgumentException>(() => KlDivergence.RatioCorrected(zeros(2), zeros(2), zeros(2), zeros(3))).ParamName
        );
        Assert.Equal("referenceLogits", Assert.Throws<ArgumentException>(() => KlDivergence.Exact(zeros(2, 3), zeros(2, 4))).ParamName);
        Assert.Equal(
            "logits",
            Assert.Throws<ArgumentException>(() => KlDivergence.Exact(zeros(2, dtype: ScalarType.Int64), zeros(2))).ParamName
        );
        Assert.Equal("mask", Assert.Throws<ArgumentException>(() => KlDivergence.Exact(zeros(2, 3), zeros(2, 3), zeros(3))).ParamName);
    }

    [Fact]
    public void ExtremeLogProbs_AreFinite()
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var logProbs = tensor(new[] { 1e4, -1e4 }).to_type(type);
            var reference = zeros_like(logProbs);
            TensorAssert.Close([1e4, -1e4], KlDivergence.Estimate(logProbs, reference, KlEstimator.K1), 0);
            TensorAssert.Close([5e7, 5e7], KlDivergence.Estimate(logProbs, reference, KlEstimator.K2), 0);
            // e^{1e4} is beyond any type: k3 of a token that π has all but given up lies on the tangent at c, e^c·(1 + 1e4 − c) − 1 − 1e4,
            // and still pulls back.
            var (c, slope) = type == ScalarType.Float64 ? (600, 3.7730203009299397e260) : (40, 235385266837019985.4);
            TensorAssert.Close([9999, (10_001 - c) * slope], KlDivergence.Estimate(logProbs, reference), 1e-6 * slope * (10_001 - c));
            TensorAssert.Close(
                [1, -1],
                Numbers.Gradient(x => KlDivergence.Estimate(x, reference).sum(), logProbs) / tensor(new[] { 1, slope }).to_type(type),
                1e-6
            );
            // Up to there it is the estimator itself.
            TensorAssert.Close(Math.Exp(39) - 40, KlDivergence.Estimate(tensor(-39.0), tensor(0.0)), 1);
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
        Assert.Equal(
            "logProbs",
            Assert.Throws<ArgumentException>(() => KlDivergence.Estimate(zeros(2, dtype: ScalarType.Int64), zeros(2))).ParamName
        );
        Assert.Equal(
            "estimator",
            Assert.Throws<ArgumentOutOfRangeException>(() => KlDivergence.Estimate(zeros(2), zeros(2), (KlEstimator)7)).ParamName
        );
    }
}
