using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class UnpairedLossesTests
{
    private static readonly KtoObjective Weighted = new()
    {
        Beta = 0.5,
        DesirableWeight = 2,
        UndesirableWeight = 3,
    };

    private static double Sigma(double x) => 1 / (1 + Math.Exp(-x));

    [Fact]
    public void Kto_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // D = 1, −3; z₀ = 2; β = 0.5: 2(1 − σ(−0.5)), 3(1 − σ(2.5)).
        var loss = UnpairedLosses.Kto(Doubles(-4, -9), Doubles(-5, -6), tensor(new[] { true, false }), tensor(2.0), Weighted);
        TensorAssert.Close([2 * Sigma(0.5), 3 * Sigma(-2.5)], loss.Losses, 1e-15);
        TensorAssert.Close((2 * Sigma(0.5) + 3 * Sigma(-2.5)) / 2, loss.Loss, 1e-15);
        TensorAssert.Close([0.5, -1.5], loss.Rewards, 1e-15);
    }

    [Fact]
    public void Kto_WithoutAReferencePoint_IsApoZeroOfItsParts()
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        var kto = UnpairedLosses
            .Kto(cat([policy.Chosen, policy.Rejected]), cat([reference.Chosen, reference.Rejected]), cat([ones(4), zeros(4)]))
            .Losses;
        var apo = PreferenceLosses.Dpo(policy, reference, new DpoObjective { Loss = DpoLoss.ApoZero }).PairLosses;
        TensorAssert.Close(apo, kto.narrow(0, 0, 4) + kto.narrow(0, 4, 4), 1e-15);
        var bco = UnpairedLosses
            .Bco(cat([policy.Chosen, policy.Rejected]), cat([reference.Chosen, reference.Rejected]), cat([ones(4), zeros(4)]))
            .Losses;
        TensorAssert.Close(
            PreferenceLosses.Dpo(policy, reference, new DpoObjective { Loss = DpoLoss.BcoPair }).PairLosses,
            bco.narrow(0, 0, 4) + bco.narrow(0, 4, 4),
            1e-15
        );
    }

    [Fact]
    public void ReferencePoint_IsTheMean_NotBelowZero_WithoutAGradient()
    {
        using var scope = NewDisposeScope();
        var mismatched = Doubles(-1, -2, -3).requires_grad_(true);
        var point = UnpairedLosses.ReferencePoint(mismatched, Doubles(-2, -4, -3));
        TensorAssert.Close(1, point, 1e-15);
        Assert.False(point.requires_grad);
        TensorAssert.Close(0, UnpairedLosses.ReferencePoint(mismatched, Doubles(5, 5, 5)), 0);
        TensorAssert.Close(0, UnpairedLosses.ReferencePoint(zeros(0), zeros(0)), 0);
    }

    [Fact]
    public void Bco_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // βD = 0.5, −1.5; δ = −0.5: −log σ(1), −4·log σ(1); the weight of a desirable one is not read.
        var loss = UnpairedLosses.Bco(Doubles(-4, -9), Doubles(-5, -6), Doubles(1, 0), -0.5, Doubles(double.NaN, 4), 0.5);
        double one = Math.Log(1 + Math.Exp(-1));
        TensorAssert.Close([one, 4 * one], loss.Losses, 1e-15);
        TensorAssert.Close([0.5, -1.5], loss.Rewards, 1e-15);
    }

    [Fact]
    public void RewardMoments_DoNotDependOnTheSplit()
    {
        using var scope = NewDisposeScope();
        var parts = new RewardMoments().Include(Doubles(1, 2)).Include(zeros(0)).Include(Doubles(4)).Include(Doubles(-3, 6));
        Assert.Equal(5, parts.Count);
        Assert.Equal(2, parts.Mean, 1e-14);
        Assert.Equal(46 / 5.0, parts.Variance, 1e-13);
        Assert.Equal(Math.Sqrt(46 / 4.0), parts.StandardDeviation, 1e-13);
        Assert.Equal(0, new RewardMoments().Variance);
        Assert.Equal(0, new RewardMoments().Include(Doubles(3)).StandardDeviation);
    }

    [Fact]
    public void Gradients_AgreeWithDifferences_AndStayFiniteFarOut()
    {
        using var scope = NewDisposeScope();
        var (reference, desirable, weights) = (Numbers.Uniform(9, 2, 4), Doubles(1, 0, 0, 1), Doubles(1, 2, 3, 4));
        GradientCheck.Run(
            inputs => UnpairedLosses.Kto(inputs[0], reference, desirable, tensor(0.3), Weighted).Loss,
            Numbers.Uniform(3, 2, 4)
        );
        GradientCheck.Run(inputs => UnpairedLosses.Bco(inputs[0], reference, desirable, 0.3, weights).Loss, Numbers.Uniform(3, 2, 4));
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var far = tensor(new[] { 1e4, -1e4, 1e4, -1e4 }).to_type(type);
            foreach (
                var loss in new Func<Tensor, UnpairedLoss>[]
                {
                    x => UnpairedLosses.Kto(x, zeros_like(x), desirable),
                    x => UnpairedLosses.Bco(x, zeros_like(x), desirable),
                }
            )
            {
                TensorAssert.Finite(loss(far).Losses);
                TensorAssert.Finite(Numbers.Gradient(x => loss(x).Loss, far));
                Assert.Equal(type, loss(far).Losses.dtype);
            }
        }
    }

    [Fact]
    public void Results_BelongToTheCaller_AndPartsAddUp()
    {
        using var scope = NewDisposeScope();
        var (logProbs, reference, desirable, weights) = (
            Numbers.Uniform(3, 2, 4).requires_grad_(true),
            Numbers.Uniform(9, 2, 4),
            Doubles(1, 0, 0, 1),
            Doubles(1, 2, 3, 4)
        );
        Tensor[] All(UnpairedLoss loss) => [loss.Loss, loss.Losses, loss.Rewards];
        Ownership.Check(() => All(UnpairedLosses.Kto(logProbs, reference, desirable)), logProbs, reference, desirable);
        Ownership.Check(
            () => All(UnpairedLosses.Bco(logProbs, reference, desirable, 0.1, weights)),
            logProbs,
            reference,
            desirable,
            weights
        );
        Ownership.Check(() => [UnpairedLosses.ReferencePoint(logProbs, reference)], logProbs, reference);
        Assert.False(UnpairedLosses.Kto(logProbs, reference, desirable).Rewards.requires_grad);
        Tensor Part(long start, long count) =>
            UnpairedLosses
                .Kto(logProbs.narrow(0, start, count), reference.narrow(0, start, count), desirable.narrow(0, start, count), denominator: 4)
                .Loss;
        TensorAssert.Close(UnpairedLosses.Kto(logProbs, reference, desirable).Loss, Part(0, 1) + Part(1, 3), 1e-15);
        TensorAssert.Close(0, UnpairedLosses.Kto(zeros(0), zeros(0), zeros(0)).Loss, 0);
        TensorAssert.Close(0, UnpairedLosses.Bco(zeros(0), zeros(0), zeros(0)).Loss, 0);
    }

    [Fact]
    public void WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        void Refused<T>(string what, Action action)
            where T : ArgumentException => Assert.Contains(what, Assert.Throws<T>(action).Message, StringComparison.Ordinal);
        Refused<ArgumentException>("referenceLogProbs has shape [3], expected [2]", () => UnpairedLosses.Kto(ones(2), ones(3), ones(2)));
        Refused<ArgumentException>("desirable has shape [1]", () => UnpairedLosses.Kto(ones(2), ones(2), ones(1)));
        Refused<ArgumentException>(
            "referencePoint has shape [2], expected a scalar",
            () => UnpairedLosses.Kto(ones(2), ones(2), ones(2), ones(2))
        );
        Refused<ArgumentException>("logProbs has type Int64", () => UnpairedLosses.Bco(arange(2), arange(2), ones(2)));
        Refused<ArgumentException>("undesirableWeights has shape [3]", () => UnpairedLosses.Bco(ones(2), ones(2), ones(2), 0, ones(3)));
        Refused<ArgumentOutOfRangeException>("shift", () => UnpairedLosses.Bco(ones(2), ones(2), ones(2), double.NaN));
        Refused<ArgumentOutOfRangeException>("beta", () => UnpairedLosses.Bco(ones(2), ones(2), ones(2), beta: -1));
        Refused<ArgumentOutOfRangeException>(
            "DesirableWeight",
            () => UnpairedLosses.Kto(ones(2), ones(2), ones(2), null, new KtoObjective { DesirableWeight = -1 })
        );
        Refused<ArgumentException>("mismatchedReferenceLogProbs has shape [1]", () => UnpairedLosses.ReferencePoint(ones(2), ones(1)));
        Refused<ArgumentException>("rewards has type Int64", () => new RewardMoments().Include(arange(2)));
    }
}
