using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class DpoTests
{
    public static TheoryData<string> Names => DpoNames;

    /// <summary>Without the losses that hold the policy's own likelihood.</summary>
    public static TheoryData<string> NamesWithoutLikelihood => [.. DpoLosses.Keys.Except(["sft", "mpo", "rpo", "irpo"])];

    private static PreferenceLoss Loss(PairLogProbs policy, PairLogProbs? reference, DpoLoss loss, double beta = 0.5) =>
        PreferenceLosses.Dpo(policy, reference, new DpoObjective { Beta = beta, Loss = loss });

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-14)]
    public void Sigmoid_GivesTheHandWorkedNumbers(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        Tensor Of(params double[] values) => tensor(values).to_type(type);
        // D_w = 2, 0; D_l = −1, 4; β = 0.5: h = 1.5, −2.
        var loss = PreferenceLosses.Dpo(
            new PairLogProbs(Of(-3, -5), Of(-7, -2)),
            new PairLogProbs(Of(-5, -5), Of(-6, -6)),
            new DpoObjective { Beta = 0.5 }
        );
        TensorAssert.Close([Math.Log(1 + Math.Exp(-1.5)), Math.Log(1 + Math.Exp(2))], loss.PairLosses, tolerance);
        TensorAssert.Close((Math.Log(1 + Math.Exp(-1.5)) + Math.Log(1 + Math.Exp(2))) / 2, loss.Loss, tolerance);
        TensorAssert.Close([1, 0], loss.ChosenRewards, tolerance);
        TensorAssert.Close([-0.5, 2], loss.RejectedRewards, tolerance);
        TensorAssert.Close([1.5, -2], loss.Margins, tolerance);
        TensorAssert.Close(0.5, loss.Accuracy, tolerance);
        Assert.All(Tensors(loss), result => Assert.Equal(type, result.dtype));
    }

    [Theory]
    [InlineData("sigmoid", 0.6931471805599453)]
    [InlineData("cdpo", 0.6931471805599453)]
    [InlineData("sigmoid_norm", 0.6931471805599453)]
    [InlineData("robust", 0.6931471805599453)]
    [InlineData("aot", 0.6931471805599453)]
    [InlineData("aot_unpaired", 0.6931471805599453)]
    [InlineData("hinge", 1)]
    [InlineData("ipo", 6.25)] // 1/(4β²), β = 0.2
    [InlineData("ipo sum", 6.25)]
    [InlineData("sppo_hard", 12.5)] // 1/(2β²)
    [InlineData("apo_zero", 1)]
    [InlineData("apo_down", 1)]
    [InlineData("nca_pair", 1.3862943611198906)] // 2 log 2
    [InlineData("bco_pair", 1.3862943611198906)]
    [InlineData("exo_pair", 0.5108256237659907)] // −log 2 − (log 0.9 + log 0.1)/2
    [InlineData("discopop", 0.8465735902799727)] // (log 2 + 1)/2
    public void WherePolicyAndReferenceAgree_TheLossIsItsValueAtZero(string name, double value)
    {
        using var scope = NewDisposeScope();
        var pairs = Pairs(1);
        TensorAssert.Close([value, value, value, value], Loss(pairs, pairs, DpoLosses[name], 0.2).PairLosses, 1e-14);
    }

    [Fact]
    public void LossesAwayFromZero_GiveTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // D_w = 1, D_l = −2 with lengths 2 and 4, β = 0.5.
        var (policy, reference) = (Pair(-4, -10, 2, 4), Pair(-5, -8));
        double Sigma(double x) => 1 / (1 + Math.Exp(-x));
        double Softplus(double x) => Math.Log(1 + Math.Exp(x));
        var expected = new Dictionary<string, double>
        {
            ["cdpo"] = 0.9 * Softplus(-1.5) + 0.1 * Softplus(1.5),
            ["sigmoid_norm"] = Softplus(-0.5),
            ["hinge"] = 0,
            ["ipo"] = 0,
            ["ipo sum"] = 4,
            ["robust"] = (0.8 * Softplus(-1.5) - 0.2 * Softplus(1.5)) / 0.6,
            ["exo_pair"] = Sigma(1.5) * Math.Log(Sigma(1.5) / 0.9) + Sigma(-1.5) * Math.Log(Sigma(-1.5) / 0.1),
            ["discopop"] = (1 - Sigma(30)) * Softplus(-1.5) + Sigma(30) * Math.Exp(-1.5),
            ["nca_pair"] = Softplus(-0.5) + 0.5 * Softplus(0.5) + 0.5 * Softplus(-1),
            ["bco_pair"] = Softplus(-0.5) + Softplus(-1),
            ["sppo_hard"] = 0 + 1,
            ["apo_zero"] = 1 - Sigma(0.5) + Sigma(-1),
            ["apo_down"] = Sigma(0.5) + 1 - Sigma(1.5),
            ["sft"] = 2,
            ["irpo"] = Softplus(-1.5) + 2,
            ["rpo"] = Softplus(-1.5) + 1,
            ["mpo"] = 0.8 * Softplus(-1.5) + 0.2 * (Softplus(-0.5) + Softplus(-1)) + 2,
        };
        foreach (var (name, value) in expected)
            TensorAssert.Close(value, Loss(policy, reference, DpoLosses[name]).Loss, 1e-13, name);
    }

    [Fact]
    public void LimitsOfOneAnother_Agree()
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        var sigmoid = Loss(policy, reference, MarginLoss.Sigmoid()).PairLosses;
        TensorAssert.Close(sigmoid, Loss(policy, reference, MarginLoss.Robust(0)).PairLosses, 1e-15);
        TensorAssert.Same(sigmoid, Loss(policy, reference, DpoLoss.Weighted((1, MarginLoss.Sigmoid(0)))).PairLosses);
        var (one, oneReference) = (Pair(-1, -2), Pair(-3, -1.5));
        foreach (var aot in new[] { DpoLoss.Aot(0.1), DpoLoss.AotUnpaired(0.1) })
            TensorAssert.Close(Loss(one, oneReference, MarginLoss.Sigmoid(0.1)).PairLosses, Loss(one, oneReference, aot).PairLosses, 1e-15);
        var unit = policy with { ChosenLengths = ones(4), RejectedLengths = ones(4) };
        TensorAssert.Close(
            sigmoid,
            Loss(unit, reference, DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true)).PairLosses,
            1e-15
        );
        TensorAssert.Close(Loss(unit, reference, DpoLoss.Ipo()).PairLosses, Loss(policy, reference, DpoLoss.Ipo(false)).PairLosses, 1e-15);
        // β → 0: log 2 − h/2.
        var small = Loss(policy, reference, MarginLoss.Sigmoid(), 1e-5);
        TensorAssert.Close(Math.Log(2) - small.Margins / 2, small.PairLosses, 1e-9);
    }

    [Fact]
    public void Swapping_TurnsTheMargin_AndTheSmoothedLosses()
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        var (swapped, swappedReference) = (
            new PairLogProbs(policy.Rejected, policy.Chosen),
            new PairLogProbs(reference.Rejected, reference.Chosen)
        );
        var (loss, other) = (Loss(policy, reference, MarginLoss.Sigmoid()), Loss(swapped, swappedReference, MarginLoss.Sigmoid()));
        TensorAssert.Close(loss.Margins.neg(), other.Margins, 1e-15);
        // log σ(h) − log σ(−h) = h
        TensorAssert.Close(loss.Margins, other.PairLosses - loss.PairLosses, 1e-14);
        TensorAssert.Close(
            0.9 * loss.PairLosses + 0.1 * other.PairLosses,
            Loss(policy, reference, MarginLoss.Sigmoid(0.1)).PairLosses,
            1e-14
        );
        var gradient = Numbers.Gradient(x => Loss(policy with { Chosen = x }, reference, MarginLoss.Sigmoid()).Loss, policy.Chosen);
        var opposite = Numbers.Gradient(x => Loss(policy with { Rejected = x }, reference, MarginLoss.Sigmoid()).Loss, policy.Rejected);
        TensorAssert.Close(gradient.neg(), opposite, 1e-15);
        TensorAssert.Close(loss.Margins.neg().sigmoid() * -0.5 / 4, gradient, 1e-15);
    }

    [Theory]
    [MemberData(nameof(NamesWithoutLikelihood))]
    public void AConstantOnBothModels_ChangesNothing(string name)
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        var (moved, movedReference) = (
            policy with
            {
                Chosen = policy.Chosen - 8,
                Rejected = policy.Rejected - 8,
            },
            new PairLogProbs(reference.Chosen - 8, reference.Rejected - 8)
        );
        TensorAssert.Close(
            Loss(policy, reference, DpoLosses[name]).PairLosses,
            Loss(moved, movedReference, DpoLosses[name]).PairLosses,
            1e-12
        );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_AgreeWithDifferences_ToTheSecondOrder(string name)
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        Tensor Of(Tensor chosen, Tensor rejected) =>
            (
                Loss(policy with { Chosen = chosen, Rejected = rejected }, reference, DpoLosses[name]).PairLosses * Doubles(1, -2, 3, 0.5)
            ).sum();
        if (name == "sft")
        {
            GradientCheck.Run(inputs => Of(inputs[0], policy.Rejected), policy.Chosen);
            return; // Linear, and without the rejected completions.
        }
        GradientCheck.Run(inputs => Of(inputs[0], inputs[1]), policy.Chosen, policy.Rejected);
        if (name == "hinge")
            return; // Linear.
        GradientCheck.Run(
            inputs =>
            {
                var at = inputs[0].requires_grad ? inputs[0] : inputs[0].requires_grad_(true);
                return Numbers.GradientGraph(Of(at, policy.Rejected), at)[0].square().sum();
            },
            policy.Chosen
        );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void FarFromTheReference_ValuesAndGradientsStayFinite(string name)
    {
        using var scope = NewDisposeScope();
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            foreach (
                var divergence in new[]
                {
                    FDivergence.ReverseKl,
                    FDivergence.ForwardKl,
                    FDivergence.JensenShannon,
                    FDivergence.Alpha(0.5),
                    FDivergence.Alpha(2),
                }
            )
            {
                // The square of e^40·1e4 is more than float32 holds.
                if (
                    type == ScalarType.Float32
                    && name.StartsWith("ipo", StringComparison.Ordinal) | name == "sppo_hard"
                    && divergence != FDivergence.ReverseKl
                )
                    continue;
                // e^{−h} grows with a margin that is itself an exponential.
                if (name == "discopop" && divergence != FDivergence.ReverseKl)
                    continue;
                var lengths = tensor(new double[] { 10, 10, 10, 10 }).to_type(type);
                var chosen = tensor(new double[] { -1e4, 1e4, -1e4, 1e4 }).to_type(type).requires_grad_(true);
                var rejected = tensor(new double[] { 1e4, -1e4, -1e4, 1e4 }).to_type(type).requires_grad_(true);
                var reference = new PairLogProbs(zeros(4, dtype: type), zeros(4, dtype: type));
                var options = new DpoObjective
                {
                    Beta = 0.1,
                    Loss = DpoLosses[name],
                    Divergence = divergence,
                };
                var loss = PreferenceLosses.Dpo(new PairLogProbs(chosen, rejected, lengths, lengths), reference, options);
                loss.Loss.backward();
                TensorAssert.Finite(loss.PairLosses, $"{name}, {divergence}, {type}");
                TensorAssert.Finite(chosen.grad!, $"gradient of {name}, {divergence}, {type}");
                if (rejected.grad is { } gradient)
                    TensorAssert.Finite(gradient, $"gradient of {name}, {divergence}, {type}");
            }
        }
    }

    [Fact]
    public void WithoutAReference_TheLogRatioIsTheLogProb()
    {
        using var scope = NewDisposeScope();
        var policy = Pairs(1);
        var nothing = new PairLogProbs(zeros_like(policy.Chosen), zeros_like(policy.Rejected));
        foreach (var (name, loss) in DpoLosses)
            TensorAssert.Same(Loss(policy, nothing, loss).PairLosses, Loss(policy, null, loss).PairLosses, name);
        var reference = Pairs(5);
        var free = PreferenceLosses.Dpo(policy, reference, new DpoObjective { ReferenceFree = true });
        TensorAssert.Same(PreferenceLosses.Dpo(policy, null).PairLosses, free.PairLosses);
        TensorAssert.Same(PreferenceLosses.Dpo(policy, reference).ChosenRewards, free.ChosenRewards);
    }

    [Fact]
    public void DpoPositive_HoldsTheChosenCompletionUp()
    {
        using var scope = NewDisposeScope();
        // D_w = −0.5 and 0.5, D_l = −2: β(Δ − λ·max(0, −D_w)) = 0.5·(1.5 − 1) and 0.5·2.5.
        var policy = new PairLogProbs(Doubles(-1.5, -0.5), Doubles(-3, -3));
        var reference = new PairLogProbs(Doubles(-1, -1), Doubles(-1, -1));
        var loss = PreferenceLosses.Dpo(policy, reference, new DpoObjective { Beta = 0.5, PositivePenalty = 2 });
        TensorAssert.Close([Math.Log(1 + Math.Exp(-0.25)), Math.Log(1 + Math.Exp(-1.25))], loss.PairLosses, 1e-14);
        TensorAssert.Close([-0.25, 0.25], loss.ChosenRewards, 1e-15);
    }

    /// <summary>
    /// Why the chosen completion may lose probability: with logits f_y·θ a step moves θ by c = η·β/2 along f_w − f_l, and log π(w) by
    /// c·(f_w − E f)(f_w − f_l). Three completions with one feature share θ: where the third has more of it than the chosen one, both
    /// compared ones fall, and the margin grows all the same. With logits of their own the chosen one rises.
    /// </summary>
    [Theory]
    [InlineData(3, -1.0 / 3, -4.0 / 3)]
    [InlineData(2, 0, -1)]
    [InlineData(0.5, 0.5, -0.5)]
    public void ChosenLogProb_MayFall_WhereFeaturesAreShared(double third, double chosen, double rejected)
    {
        using var scope = NewDisposeScope();
        var features = Doubles(1, 0, third);
        PairLogProbs Pair(Tensor logProbs) => new(logProbs.narrow(0, 0, 1), logProbs.narrow(0, 1, 1));
        Tensor Moved(Func<Tensor, Tensor> logits, Tensor at)
        {
            var reference = logits(at).log_softmax(-1);
            var slope = Numbers.Gradient(
                x => PreferenceLosses.Dpo(Pair(logits(x).log_softmax(-1)), Pair(reference.detach()), new DpoObjective { Beta = 0.2 }).Loss,
                at
            );
            // β/2 = 0.1; a small step, per its length.
            return (logits(at - slope * 1e-5).log_softmax(-1) - reference) / 1e-6;
        }
        var shared = Moved(theta => features * theta, zeros(1, dtype: ScalarType.Float64));
        TensorAssert.Close([chosen, rejected], shared.narrow(0, 0, 2), 1e-5);
        TensorAssert.Close([1, -1], Moved(logits => logits, zeros(3, dtype: ScalarType.Float64)).narrow(0, 0, 2), 1e-5);
    }

    [Fact]
    public void Parts_AddUpToTheWhole_AndWeightsMultiply()
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        PairLogProbs Part(PairLogProbs pairs, long start, long count) =>
            new(pairs.Chosen.narrow(0, start, count), pairs.Rejected.narrow(0, start, count));
        var weights = Doubles(1, 0, 0.5, 2).requires_grad_(true);
        var whole = PreferenceLosses.Dpo(policy, reference, null, weights);
        var (first, second) = (
            PreferenceLosses.Dpo(Part(policy, 0, 1), Part(reference, 0, 1), null, weights.narrow(0, 0, 1), 4),
            PreferenceLosses.Dpo(Part(policy, 1, 3), Part(reference, 1, 3), null, weights.narrow(0, 1, 3), 4)
        );
        TensorAssert.Close(whole.Loss, first.Loss + second.Loss, 1e-15);
        TensorAssert.Same(PreferenceLosses.Dpo(policy, reference).PairLosses * weights, whole.PairLosses);
        Assert.False(whole.Loss.requires_grad);
        var none = new PairLogProbs(zeros(0), zeros(0), zeros(0), zeros(0));
        foreach (var (name, loss) in DpoLosses)
        {
            var empty = Loss(none, none, loss);
            TensorAssert.Close(0, empty.Loss, 0, name);
            TensorAssert.Close(0, empty.Accuracy, 0, name);
        }
    }

    [Fact]
    public void NoGradientReachesTheReferenceOrTheDiagnostics()
    {
        using var scope = NewDisposeScope();
        var reference = new PairLogProbs(Numbers.Uniform(3, 1, 4).requires_grad_(true), Numbers.Uniform(4, 1, 4).requires_grad_(true));
        var policy = new PairLogProbs(
            Numbers.Uniform(5, 1, 4).requires_grad_(true),
            Numbers.Uniform(6, 1, 4).requires_grad_(true),
            ones(4),
            ones(4)
        );
        foreach (var kind in DpoLosses.Values)
        {
            var loss = Loss(policy, reference, kind);
            loss.Loss.backward();
            Assert.True(loss.PairLosses.requires_grad);
            Assert.DoesNotContain(Tensors(loss)[2..], diagnostic => diagnostic.requires_grad);
        }
        Assert.True(reference.Chosen.grad is null && reference.Rejected.grad is null);
    }

    [Fact]
    public void Results_BelongToTheCaller()
    {
        using var scope = NewDisposeScope();
        var (policy, reference, weights) = (Pairs(1), Pairs(5), ones(4, dtype: ScalarType.Float64));
        foreach (var kind in DpoLosses.Values)
        {
            Ownership.Check(
                () => Tensors(Loss(policy, reference, kind)),
                policy.Chosen,
                policy.Rejected,
                reference.Chosen,
                reference.Rejected
            );
            Ownership.Check(() => Tensors(Loss(policy, null, kind)), policy.Chosen, policy.Rejected);
        }
        Ownership.Check(
            () =>
                Tensors(
                    PreferenceLosses.Dpo(
                        policy,
                        reference,
                        new DpoObjective { PositivePenalty = 1, Divergence = FDivergence.Alpha(0.5) },
                        weights
                    )
                ),
            policy.Chosen,
            weights
        );
        Ownership.Check(() => [FDivergence.ReverseKl.Score(policy.Chosen)], policy.Chosen);
    }

    [Fact]
    public void WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var pairs = Pairs(1);
        var flat = new PairLogProbs(pairs.Chosen, pairs.Rejected);
        void Refused<T>(string what, Action action)
            where T : ArgumentException => Assert.Contains(what, Assert.Throws<T>(action).Message, StringComparison.Ordinal);
        Refused<ArgumentException>(
            "policy.Rejected has shape [3], expected [4]",
            () => PreferenceLosses.Dpo(pairs with { Rejected = ones(3) }, null)
        );
        Refused<ArgumentException>(
            "policy.Chosen has shape [2, 2], expected [B]",
            () => PreferenceLosses.Dpo(new PairLogProbs(ones(2, 2), ones(2, 2)), null)
        );
        Refused<ArgumentException>(
            "policy.Chosen has type Int64",
            () => PreferenceLosses.Dpo(new PairLogProbs(arange(4), arange(4)), null)
        );
        Refused<ArgumentException>("reference.Chosen has shape [1], expected [4]", () => PreferenceLosses.Dpo(pairs, Pair(0, 0)));
        Refused<ArgumentException>("weights has shape [3]", () => PreferenceLosses.Dpo(pairs, null, null, ones(3)));
        Refused<ArgumentException>("policy.ChosenLengths is null", () => Loss(flat, null, DpoLoss.Ipo()));
        Refused<ArgumentException>("policy.ChosenLengths is null", () => Loss(flat, null, DpoLoss.ChosenLikelihood()));
        Refused<ArgumentOutOfRangeException>("Beta", () => Loss(pairs, null, MarginLoss.Hinge, 0));
        Refused<ArgumentOutOfRangeException>(
            "PositivePenalty",
            () => PreferenceLosses.Dpo(pairs, null, new DpoObjective { PositivePenalty = -1 })
        );
        Refused<ArgumentOutOfRangeException>("denominator", () => PreferenceLosses.Dpo(pairs, null, denominator: 0));
        Refused<ArgumentOutOfRangeException>("labelSmoothing", () => MarginLoss.Sigmoid(0.5));
        Refused<ArgumentOutOfRangeException>("labelSmoothing", () => MarginLoss.Robust(-0.1));
        Refused<ArgumentOutOfRangeException>("infinite at 0", () => MarginLoss.Exo(0));
        Refused<ArgumentOutOfRangeException>("temperature", () => MarginLoss.DiscoPop(0));
        Refused<ArgumentOutOfRangeException>("alpha", () => DpoLoss.Rpo(-1));
        Refused<ArgumentOutOfRangeException>("alpha", () => FDivergence.Alpha(double.NaN));
        Refused<ArgumentOutOfRangeException>("weights of terms", () => DpoLoss.Weighted((double.NaN, MarginLoss.Hinge)));
        Refused<ArgumentException>("terms is empty", () => DpoLoss.Weighted());
    }
}
