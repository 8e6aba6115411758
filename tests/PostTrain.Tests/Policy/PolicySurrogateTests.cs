using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Policy;

/// <summary>Every surrogate: numbers by hand, the first step, gradients, extremes.</summary>
public sealed class PolicySurrogateTests
{
    private static readonly double Log2 = Math.Log(2);

    private static readonly Dictionary<string, PolicySurrogate> All = new()
    {
        ["policy gradient"] = PolicySurrogate.PolicyGradient,
        ["ratio"] = PolicySurrogate.Ratio,
        ["clip"] = PolicySurrogate.Clip(0.2),
        ["dual clip"] = PolicySurrogate.DualClip(0.2),
        ["two-sided"] = PolicySurrogate.TwoSided(0.2, 1.1),
        ["CISPO"] = PolicySurrogate.Cispo(2),
        ["SAPO"] = PolicySurrogate.Sapo(),
        ["GMPO"] = PolicySurrogate.Gmpo(0.4),
        ["VESPO"] = PolicySurrogate.Vespo(),
        ["DPPO-TV"] = PolicySurrogate.DppoTv(0.2),
        ["DPPO-KL"] = PolicySurrogate.DppoKl(0.05),
        ["DRO"] = PolicySurrogate.Dro(0.5),
        ["Clip-Cov"] = PolicySurrogate.ClipCov(0.2, least: 100, most: 1000),
        ["KL-Cov"] = PolicySurrogate.KlCov(0.5),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    private static PolicyLoss Loss(
        PolicySurrogate surrogate,
        Tensor logProbs,
        Tensor old,
        Tensor advantages,
        Tensor mask,
        RatioLevel ratio = RatioLevel.Token
    ) => PolicyLosses.Surrogate(logProbs, old, advantages, mask, surrogate, ratio, aggregation: LossAggregation.SequenceSum());

    /// <summary>One weight a sequence multiplies its losses once, however many tokens it has; VESPO's ratio W contains it once.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void ASequencesWeight_CountsOnce(string name)
    {
        using var scope = NewDisposeScope();
        var (logProbs, old) = (Numbers.Uniform(1, 0.4, 3, 4) - 1, Numbers.Uniform(2, 0.4, 3, 4) - 1);
        var (advantages, mask) = (Numbers.Uniform(3, 1, 3), Numbers.Mask(4, 4, 2, 1));
        var weights = tensor(new[] { 1.5, 0.5, 2 });
        Tensor Losses(Tensor oldLogProbs, Tensor? importance) =>
            PolicyLosses.Surrogate(logProbs, oldLogProbs, advantages, mask, All[name], importanceWeights: importance).TokenLosses;
        // A first token that the old policy found less likely by w.
        var less = old - Numbers.Mask(4, 1, 1, 1) * weights.log().unsqueeze(1);
        TensorAssert.Close(
            name == "VESPO" ? Losses(less, null) : Losses(old, null) * weights.unsqueeze(1),
            Losses(old, weights),
            1e-14,
            name
        );
    }

    /// <summary>π from ¼ to ½, A = 3 and −3: loss and gradient worked by hand.</summary>
    [Fact]
    public void HandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        void Check(PolicySurrogate surrogate, double good, double goodGradient, double bad, double badGradient)
        {
            foreach (var (advantage, loss, gradient) in new[] { (3.0, good, goodGradient), (-3.0, bad, badGradient) })
            {
                var (now, old, signal) = (
                    tensor(
                        new[,]
                        {
                            { -Log2 },
                        }
                    ),
                    tensor(
                        new[,]
                        {
                            { -2 * Log2 },
                        }
                    ),
                    tensor(new[] { advantage })
                );
                TensorAssert.Close([loss], Loss(surrogate, now, old, signal, ones(1, 1)).TokenLosses, 1e-12, $"{surrogate} at {advantage}");
                TensorAssert.Close(
                    [gradient],
                    Numbers.Gradient(x => Loss(surrogate, x, old, signal, ones(1, 1)).Loss, now),
                    1e-12,
                    $"gradient of {surrogate} at {advantage}"
                );
            }
        }
        Check(PolicySurrogate.PolicyGradient, 3 * Log2, -3, -3 * Log2, 3);
        Check(PolicySurrogate.Ratio, -6, -6, 6, 6);
        Check(PolicySurrogate.Clip(0.2), -3.6, 0, 6, 6);
        Check(PolicySurrogate.DualClip(0.2, 1.5), -3.6, 0, 4.5, 0);
        Check(PolicySurrogate.TwoSided(0.2, 1.5), -3.6, 0, 4.5, 0);
        Check(PolicySurrogate.TwoSided(new ClipRange(0.2, 0.3), 1.1), -3.3, 0, 3.9, 0);
        Check(PolicySurrogate.Cispo(1.5), 4.5 * Log2, -4.5, -4.5 * Log2, 4.5);
        Check(PolicySurrogate.Cispo(9, 3), 9 * Log2, -9, -9 * Log2, 9);
        // σ(1) and σ(2), and their slopes σ(1 − σ)·4ρ.
        double one = 1 / (1 + Math.Exp(-1)),
            two = 1 / (1 + Math.Exp(-2));
        Check(PolicySurrogate.Sapo(1, 2), -12 * one, -24 * one * (1 - one), 6 * two, 24 * two * (1 - two));
        Check(PolicySurrogate.Gmpo(0.4), -3 * Math.Exp(0.4), 0, 6, 6);
        // φ(2) = e³·4·e⁻⁶ and e²·8·e⁻⁴
        double up = 12 * Math.Exp(-3),
            down = 24 * Math.Exp(-2);
        Check(PolicySurrogate.Vespo(), up * Log2, -up, -down * Log2, down);
        // ½ − ¼ is above 0.2 but not above 0.3.
        Check(PolicySurrogate.DppoTv(0.2), 0, 0, -6 * Log2, 6);
        Check(PolicySurrogate.DppoTv(0.3, 1.5), 4.5 * Log2, -4.5, -4.5 * Log2, 4.5);
        // ¼·log ½ + ¾·log 1.5 = 0.13081…
        Check(PolicySurrogate.DppoKl(0.13), 0, 0, -6 * Log2, 6);
        Check(PolicySurrogate.DppoKl(0.131), 6 * Log2, -6, -6 * Log2, 6);
        Check(PolicySurrogate.Dro(0.5), 3 * Log2 + 0.25 * Log2 * Log2, -3 + 0.5 * Log2, -3 * Log2 + 0.25 * Log2 * Log2, 3 + 0.5 * Log2);
        // A single token has covariance 0 and is the top one.
        Check(PolicySurrogate.KlCov(1, 0.5), -6 + 0.5 * Log2, -6 + 0.5, 6 + 0.5 * Log2, 6 + 0.5);
        Check(PolicySurrogate.ClipCov(new ClipRange(0.5, 9), 1, -1, 1), 0, 0, 0, 0);
    }

    [Fact]
    public void CovarianceTakesTheTopTokens()
    {
        using var scope = NewDisposeScope();
        // Deviations of A: −1, 1, 3, −3; of log π: −1, 1, 3, −3; products 1, 1, 9, 9. The last two places are the same; what does not count
        // is out.
        var logProbs = tensor(
            new double[,]
            {
                { -5, -3, -1, -7, 0 },
            }
        );
        var advantages = tensor(
            new double[,]
            {
                { 1, 3, 5, -1, 99 },
            }
        );
        var mask = Numbers.Mask(5, 4);
        var loss = Loss(PolicySurrogate.ClipCov(0.2, 0.5, 2, 10), logProbs, logProbs, advantages, mask);
        TensorAssert.Close([-1, -3, 0, 0, 0], loss.TokenLosses, 1e-14);
        TensorAssert.Close(0.5, loss.ClipFraction, 1e-15);
        TensorAssert.Close(
            [-1, -3, -5, 1, 0],
            Loss(PolicySurrogate.ClipCov(0.2, 0.5, 10, 20), logProbs, logProbs, advantages, mask).TokenLosses,
            1e-14
        );
        var moved = logProbs - 0.1;
        TensorAssert.Close(
            [0, 0, 0.1, 0.1, 0],
            Loss(PolicySurrogate.KlCov(0.5), moved, logProbs, advantages, mask).TokenLosses
                - Loss(PolicySurrogate.Ratio, moved, logProbs, advantages, mask).TokenLosses,
            1e-14
        );
    }

    /// <summary>While the policy is the one that sampled, each gradient is −A∇log π, at every level with one advantage a
    /// sequence.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void FirstStep_IsThePolicyGradient(string name)
    {
        using var scope = NewDisposeScope();
        var (logits, tokens) = (Numbers.Uniform(1, 2, 3, 4, 5), Numbers.Ids(2, 5, 3, 4));
        var (advantages, mask) = (Numbers.Uniform(3, 2, 3), Numbers.Mask(4, 4, 2, 0));
        var expected = Numbers.Gradient(
            z => LossAggregation.SequenceSum().Apply(-TokenLogProbs.Gather(z, tokens) * advantages.unsqueeze(1), mask),
            logits
        );
        foreach (var ratio in new[] { RatioLevel.Token, RatioLevel.Sequence, RatioLevel.SequenceToken })
        {
            // The geometric mean and the penalty on |log ρ| are about tokens.
            if (name is "GMPO" or "KL-Cov" && ratio != RatioLevel.Token)
                continue;
            TensorAssert.Close(
                expected,
                Numbers.Gradient(
                    z =>
                    {
                        var logProbs = TokenLogProbs.Gather(z, tokens);
                        return Loss(All[name], logProbs, logProbs, advantages, mask, ratio).Loss;
                    },
                    logits
                ),
                1e-14,
                $"{name} at {ratio}"
            );
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void WhatDoesNotCount_IsNotRead_AndNothingGivesZero(string name)
    {
        using var scope = NewDisposeScope();
        Tensor[] clean = [Numbers.Uniform(4, 1, 2, 4) - 1, Numbers.Uniform(5, 1, 2, 4) - 1, Numbers.Uniform(6, 2, 2, 4)];
        var mask = Numbers.Mask(4, 3, 1);
        foreach (var ratio in Enum.GetValues<RatioLevel>())
        {
            var gradient = Numbers.Gradient(x => Loss(All[name], x, clean[1], clean[2], mask, ratio).Loss, clean[0]);
            for (int which = 0; which < 3; which++)
            {
                Tensor[] inputs = [.. clean];
                inputs[which] = clean[which].masked_fill(mask == 0, double.NaN);
                TensorAssert.Same(
                    gradient,
                    Numbers.Gradient(x => Loss(All[name], x, inputs[1], inputs[2], mask, ratio).Loss, inputs[0]),
                    $"{name} at {ratio}"
                );
                inputs[which] = full_like(clean[which], double.NaN);
                Assert.True(
                    double.IsNaN(Loss(All[name], inputs[0], inputs[1], inputs[2], mask, ratio).Loss.ToDouble())
                        || (which == 1 && name == "policy gradient"),
                    $"{name} loses NaN of input {which}"
                );
            }
            TensorAssert.Close(0, Loss(All[name], clean[0], clean[1], clean[2], zeros(2, 4), ratio).Loss, 0);
            TensorAssert.Zero(Numbers.Gradient(x => Loss(All[name], x, clean[1], clean[2], zeros(2, 4), ratio).Loss, clean[0]));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Extremes_AreFinite(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        foreach (double shift in new[] { 1e4, -1e4 })
        foreach (double advantage in new[] { 2.0, 0, -2 })
        {
            var now = full([1, 1], Math.Min(shift, 0), dtype: type);
            var old = now - shift;
            var signal = full([1], advantage, dtype: type);
            TensorAssert.Finite(Loss(All[name], now, old, signal, ones(1, 1)).Loss, $"{name} at {shift}, {advantage}");
            TensorAssert.Finite(
                Numbers.Gradient(x => Loss(All[name], x, old, signal, ones(1, 1)).Loss, now),
                $"gradient of {name} at {shift}, {advantage}"
            );
        }
    }

    /// <summary>Within ±20 the exponent is the log-ratio; beyond, the ratio stays e^±20 and has no gradient, while a penalty on the
    /// log-ratio keeps its own.</summary>
    [Theory]
    [InlineData(19, 178482300.96318725, true)]
    [InlineData(21, 485165195.40979030, false)]
    [InlineData(-19, 5.6027964375372675e-9, true)]
    [InlineData(-21, 2.0611536224385578e-9, false)]
    public void Ratio_IsBoundedInTheExponent(double logRatio, double ratio, bool moves)
    {
        using var scope = NewDisposeScope();
        var (now, old) = (
            full([1, 1], Math.Min(logRatio, 0), dtype: ScalarType.Float64),
            full([1, 1], Math.Min(logRatio, 0) - logRatio, dtype: ScalarType.Float64)
        );
        var (bad, mask) = (tensor(new[] { -1.0 }), ones(1, 1));
        TensorAssert.Close(1, Loss(PolicySurrogate.Ratio, now, old, bad, mask).Loss / ratio, 1e-12);
        TensorAssert.Close([moves ? 1 : 0], Numbers.Gradient(x => Loss(PolicySurrogate.Ratio, x, old, bad, mask).Loss, now) / ratio, 1e-12);
        TensorAssert.Close(
            [(moves ? ratio : 0) + 0.5 * Math.Sign(logRatio)],
            Numbers.Gradient(x => Loss(PolicySurrogate.KlCov(1, 0.5), x, old, bad, mask).Loss, now),
            1e-12 * Math.Max(1, ratio)
        );
    }

    /// <summary>Every preset at every level of the ratio with KL term, correction and entropy bonus, ±1e4 nats from the sampler and from
    /// the reference.</summary>
    [Fact]
    public void Presets_FarFromSamplerAndReference_AreFinite()
    {
        PolicyObjective[] presets =
        [
            PolicyObjectives.Ppo(),
            PolicyObjectives.Grpo(),
            PolicyObjectives.DrGrpo(4),
            PolicyObjectives.Bnpo(),
            PolicyObjectives.Dapo(),
            PolicyObjectives.Gspo(),
            PolicyObjectives.GspoToken(),
            PolicyObjectives.Cispo(),
            PolicyObjectives.Sapo(),
            PolicyObjectives.Gmpo(),
            PolicyObjectives.Luspo(),
            PolicyObjectives.Vespo(),
            PolicyObjectives.Rloo(),
            PolicyObjectives.Reinforce(),
            PolicyObjectives.ReMax(),
            PolicyObjectives.ReinforcePlusPlus(),
            PolicyObjectives.Gpg(),
            PolicyObjectives.Dppo(),
            .. All.Values.Select(surrogate => PolicyObjectives.Grpo() with { Name = surrogate.ToString(), Surrogate = surrogate }),
        ];
        foreach (var preset in presets)
        foreach (double shift in new[] { 89, 1e4, -89, -1e4 })
        foreach (double apart in new[] { 1e4, -1e4 })
        foreach (bool corrects in new[] { false, true })
        {
            using var scope = NewDisposeScope();
            // One token far away, the others near; a good and a bad completion.
            var now = (Numbers.Uniform(20, 0.1, 2, 3) - 2).to_type(ScalarType.Float32);
            var far = tensor(
                new float[,]
                {
                    { 1, 0, 0 },
                    { 0, 1, 0 },
                }
            );
            var batch = new PolicyBatch(
                now,
                now - far * shift,
                tensor(new float[] { 2, -2 }),
                Numbers.Mask(3, 3, 2).to_type(ScalarType.Float32)
            )
            {
                ReferenceLogProbs = now - far * apart,
                Entropy = now.exp(),
            };
            PolicyObjectiveLoss Of(Tensor x) =>
                (preset with { Beta = 0.1, CorrectKl = corrects, EntropyCoefficient = 0.01 }).Loss(batch with { LogProbs = x });
            var loss = Of(now);
            string what = $"{preset.Name} at {shift}, {apart}";
            foreach (var number in new[] { loss.Loss, loss.TokenLosses, loss.ClipFraction, loss.OldKl, loss.Kl })
                TensorAssert.Finite(number, what);
            TensorAssert.Finite(Numbers.Gradient(x => Of(x).Loss, now), $"gradient of {what}");
        }
    }

    /// <summary>A weight of 1.5 for a sequence of three tokens: φ(1.5) = e³·1.5²·e^−4.5 = 0.5020… for a good one, e²·1.5³·e^−3 for a bad
    /// one; three weights of tokens are multiplied.</summary>
    [Fact]
    public void Vespo_CountsASequencesWeightOnce()
    {
        using var scope = NewDisposeScope();
        var logProbs = tensor(
            new double[,]
            {
                { -1, -2, -3, 9 },
                { -1, -2, -3, 9 },
            }
        );
        var (signal, mask) = (tensor(new[] { 1.0, -1 }), Numbers.Mask(4, 3, 3));
        double[] Losses(Tensor weights) =>
            Numbers.Values(
                PolicyLosses.Surrogate(logProbs, logProbs, signal, mask, PolicySurrogate.Vespo(), importanceWeights: weights).TokenLosses
            );
        double good = Math.Exp(3) * 2.25 * Math.Exp(-4.5),
            bad = Math.Exp(2) * 3.375 * Math.Exp(-3);
        Assert.Equal(0.502043, good, 1e-6);
        TensorAssert.Close(
            [good, 2 * good, 3 * good, 0, -bad, -2 * bad, -3 * bad, 0],
            tensor(Losses(tensor(new[] { 1.5, 1.5 }))),
            1e-14,
            "one a sequence"
        );
        double cube = 3.375,
            token = Math.Exp(3) * cube * cube * Math.Exp(-3 * cube);
        TensorAssert.Close(
            [token, 2 * token, 3 * token],
            tensor(Losses(full([2, 4], 1.5, dtype: ScalarType.Float64))[..3]),
            1e-14,
            "one a token"
        );
        // The correction's own weights of whole sequences: Σ = log 1.5, bounded nowhere.
        var sampler = logProbs - Numbers.Mask(4, 1, 1) * Math.Log(1.5);
        TensorAssert.Close(
            [good, 2 * good, 3 * good],
            tensor(Losses(new ImportanceCorrection(9, WholeSequences: true).Weights(logProbs, sampler, mask))[..3]),
            1e-14,
            "a correction of whole sequences"
        );
        // A sequence without a token changes nothing, whatever its weight.
        TensorAssert.Close(
            [0, 0],
            PolicyLosses
                .Surrogate(
                    logProbs,
                    logProbs,
                    signal,
                    zeros(2, 4),
                    PolicySurrogate.Vespo(),
                    importanceWeights: full([2], double.NaN, dtype: ScalarType.Float64)
                )
                .TokenLosses.sum(1L),
            0
        );
        // Others are multiplied by it once a token, either way.
        TensorAssert.Close(
            Losses2(full([2, 4], 1.5, dtype: ScalarType.Float64)),
            tensor(Losses2(tensor(new[] { 1.5, 1.5 }))),
            0,
            "other surrogates"
        );

        double[] Losses2(Tensor weights) =>
            Numbers.Values(
                PolicyLosses.Surrogate(logProbs, logProbs, signal, mask, PolicySurrogate.Clip(0.2), importanceWeights: weights).TokenLosses
            );
    }

    [Theory]
    [InlineData("ratio")]
    [InlineData("clip")]
    [InlineData("two-sided")]
    [InlineData("SAPO")]
    [InlineData("GMPO")]
    [InlineData("DRO")]
    [InlineData("KL-Cov")]
    public void Gradient_AgreesWithDifferences(string name)
    {
        using var scope = NewDisposeScope();
        var (old, advantages, mask) = (Numbers.Uniform(7, 1, 3, 4), Numbers.Uniform(8, 2, 3, 4), Numbers.Mask(4, 4, 1, 3));
        foreach (var ratio in new[] { RatioLevel.Token, RatioLevel.Sequence, RatioLevel.SequenceSum })
            GradientCheck.Run(x => Loss(All[name], x[0], old, advantages, mask, ratio).Loss, Numbers.Uniform(9, 1, 3, 4));
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var logProbs = (Numbers.Uniform(10, 1, 2, 3) - 1).requires_grad_(true);
        using var old = Numbers.Uniform(11, 1, 2, 3) - 1;
        using var advantages = Numbers.Uniform(12, 1, 2);
        using var mask = Numbers.Mask(3, 3, 1);
        foreach (var surrogate in All.Values)
        foreach (var ratio in Enum.GetValues<RatioLevel>())
            Ownership.Check(
                () =>
                {
                    var loss = PolicyLosses.Surrogate(
                        logProbs,
                        old,
                        advantages,
                        mask,
                        surrogate,
                        ratio,
                        weights: mask,
                        importanceWeights: mask
                    );
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
        Assert.Equal("cap", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.DualClip(0.2, 1.1)).ParamName);
        Assert.Equal("delta", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.TwoSided(0.2, 1)).ParamName);
        Assert.Equal("most", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Cispo(0)).ParamName);
        Assert.Equal("least", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Cispo(1, 2)).ParamName);
        Assert.Equal("negative", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Sapo(1, 0)).ParamName);
        Assert.Equal(
            "NegativeRate",
            Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Vespo(new VespoOptions { NegativeRate = 0 })).ParamName
        );
        Assert.Equal("beta", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.Dro(-1)).ParamName);
        Assert.Equal("fraction", Assert.Throws<ArgumentOutOfRangeException>(() => PolicySurrogate.ClipCov(0.2, 2)).ParamName);
        using var scope = NewDisposeScope();
        var x = zeros(2, 3);
        Assert.Equal(
            "level",
            Assert.Throws<ArgumentOutOfRangeException>(() => Loss(PolicySurrogate.Ratio, x, x, x, x, (RatioLevel)9)).ParamName
        );
        Assert.Equal(
            "weights",
            Assert.Throws<ArgumentException>(() => PolicyLosses.Surrogate(x, x, x, x, PolicySurrogate.Ratio, weights: zeros(3))).ParamName
        );
        Assert.Equal(
            "importanceWeights",
            Assert
                .Throws<ArgumentException>(() => PolicyLosses.Surrogate(x, x, x, x, PolicySurrogate.Ratio, importanceWeights: zeros(3)))
                .ParamName
        );
    }
}
