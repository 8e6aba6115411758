using PostTrain.Numerics;
using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class ReferenceFreeLossesTests
{
    public static TheoryData<string> Names => [.. Losses.Keys];

    private static readonly Dictionary<string, Func<PairLogProbs, PreferenceLoss>> Losses = new()
    {
        ["cpo"] = policy => PreferenceLosses.Cpo(policy, CpoObjective.Cpo()),
        ["simpo"] = policy => PreferenceLosses.Cpo(policy, CpoObjective.Simpo()),
        ["alphapo"] = policy => PreferenceLosses.Cpo(policy, CpoObjective.AlphaPo()),
        ["tpo"] = policy => PreferenceLosses.Tpo(policy, policy.Chosen - 1, policy.ChosenLengths!, CpoObjective.Tpo()),
        ["tpo-l"] = policy => PreferenceLosses.Tpo(policy, policy.Chosen - 1, policy.ChosenLengths!, CpoObjective.TpoL()),
        ["orpo"] = policy => PreferenceLosses.Orpo(policy, 0.5),
    };

    private static double Softplus(double x) => Math.Log(1 + Math.Exp(x));

    [Fact]
    public void Losses_GiveTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // log π = −2 of 4 tokens, −3 of 2: means −0.5, −1.5.
        var pair = Pair(-2, -3, 4, 2);
        TensorAssert.Close(Softplus(-0.1) + 0.5, PreferenceLosses.Cpo(pair, CpoObjective.Cpo()).Loss, 1e-14);
        TensorAssert.Close(Softplus(-1), PreferenceLosses.Cpo(pair, CpoObjective.Simpo(2, 1)).Loss, 1e-14);
        double shaped = 2 * ((1 - Math.Exp(0.5 * 0.5)) / 0.5 - (1 - Math.Exp(0.5 * 1.5)) / 0.5) - 1;
        TensorAssert.Close(Softplus(-shaped), PreferenceLosses.Cpo(pair, CpoObjective.AlphaPo(0.5, 2, 1)).Loss, 1e-14);
        // Gold completions of 3 and 1 tokens: NLL = (6 + 2)/4.
        TensorAssert.Close(
            Softplus(-0.1) + 3 * 2,
            PreferenceLosses.Tpo(pair, Doubles(-6, -2), Doubles(3, 1), CpoObjective.Tpo(0.1, 3)).Loss,
            1e-14
        );
        var simpo = PreferenceLosses.Cpo(pair, CpoObjective.Simpo(2, 1));
        TensorAssert.Close([-1], simpo.ChosenRewards, 1e-15);
        TensorAssert.Close([2], simpo.Margins, 1e-15);
        // p̄ = 1/2 and 1/4: odds 1 and 1/3, log σ(log 3) = log 3/4.
        var orpo = PreferenceLosses.Orpo(Pair(-2 * Math.Log(2), -2 * Math.Log(4), 2, 2), 0.5);
        TensorAssert.Close([-0.5 * Math.Log(0.75)], orpo.PairLosses, 1e-14);
        TensorAssert.Close(Math.Log(2) - 0.5 * Math.Log(0.75), orpo.Loss, 1e-14);
        TensorAssert.Close([-0.5 * Math.Log(2)], orpo.ChosenRewards, 1e-15);
        TensorAssert.Close(
            7 - 0.5 * Math.Log(0.75),
            PreferenceLosses.Orpo(Pair(-2 * Math.Log(2), -2 * Math.Log(4), 2, 2), 0.5, tensor(7.0)).Loss,
            1e-14
        );
    }

    [Fact]
    public void LimitsOfOneAnother_Agree()
    {
        using var scope = NewDisposeScope();
        var policy = Pairs(1);
        TensorAssert.Close(
            PreferenceLosses.Cpo(policy, CpoObjective.Simpo(2.5)).PairLosses,
            PreferenceLosses.Cpo(policy, CpoObjective.AlphaPo(1e-9)).PairLosses,
            1e-7
        );
        TensorAssert.Close(
            PreferenceLosses.Dpo(policy, null).PairLosses,
            PreferenceLosses.Cpo(policy, CpoObjective.Cpo()).PairLosses,
            1e-15
        );
        TensorAssert.Close(
            PreferenceLosses
                .Dpo(policy, null, new DpoObjective { Loss = DpoLoss.OfMargin(MarginLoss.Sigmoid(), lengthNormalized: true), Beta = 2 })
                .PairLosses,
            PreferenceLosses.Cpo(policy, CpoObjective.Simpo(2, 0)).PairLosses,
            1e-15
        );
        TensorAssert.Same(
            PreferenceLosses.Cpo(policy, CpoObjective.Cpo()).Loss,
            PreferenceLosses.Tpo(policy, policy.Chosen, policy.ChosenLengths!, CpoObjective.Tpo()).Loss
        );
        // Equal completions: log 2 each.
        var equal = policy with
        {
            Rejected = policy.Chosen,
            RejectedLengths = policy.ChosenLengths,
        };
        TensorAssert.Close(
            full(4, Math.Log(2), dtype: ScalarType.Float64),
            PreferenceLosses.Cpo(equal, CpoObjective.Cpo()).PairLosses,
            1e-15
        );
        TensorAssert.Close(full(4, 0.1 * Math.Log(2), dtype: ScalarType.Float64), PreferenceLosses.Orpo(equal).PairLosses, 1e-15);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gradients_AgreeWithDifferences_AndStayFiniteFarOut(string name)
    {
        using var scope = NewDisposeScope();
        var policy = Pairs(1);
        GradientCheck.Run(
            inputs => Losses[name](policy with { Chosen = inputs[0], Rejected = inputs[1] }).Loss,
            policy.Chosen,
            policy.Rejected
        );
        foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
        {
            var lengths = tensor(new double[] { 10, 10, 10 }).to_type(type);
            // Impossible, certain, and almost certain completions.
            var (chosen, rejected) = (tensor(new[] { -1e4, 0, -1e-30 }).to_type(type), tensor(new[] { 0, -1e4, -1e-6 }).to_type(type));
            var loss = Losses[name](new PairLogProbs(chosen, rejected, lengths, lengths));
            Assert.All(Tensors(loss), tensor => Assert.Equal(type, tensor.dtype));
            TensorAssert.Finite(loss.Loss, name);
            TensorAssert.Finite(Numbers.Gradient(x => Losses[name](new PairLogProbs(x, rejected, lengths, lengths)).Loss, chosen), name);
            TensorAssert.Finite(Numbers.Gradient(x => Losses[name](new PairLogProbs(chosen, x, lengths, lengths)).Loss, rejected), name);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Results_BelongToTheCaller_AndNoPairGivesZero(string name)
    {
        using var scope = NewDisposeScope();
        var policy = Pairs(1);
        var gold = policy.Chosen - 1;
        Func<PreferenceLoss> run = name.StartsWith("tpo", StringComparison.Ordinal)
            ? () => PreferenceLosses.Tpo(policy, gold, policy.ChosenLengths!, name == "tpo" ? CpoObjective.Tpo() : CpoObjective.TpoL())
            : () => Losses[name](policy);
        Ownership.Check(() => Tensors(run()), policy.Chosen, policy.Rejected, gold);
        TensorAssert.Close(0, Losses[name](new PairLogProbs(zeros(0), zeros(0), zeros(0), zeros(0))).Loss, 0);
        Assert.DoesNotContain(
            Tensors(Losses[name](policy with { Chosen = policy.Chosen.clone().requires_grad_(true) }))[2..],
            diagnostic => diagnostic.requires_grad
        );
    }

    [Fact]
    public void Log1mExp_IsExactOnBothSides()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Close(
            [Math.Log(1e-10) - 5e-11, -Math.Log(2), -Math.Exp(-50)],
            Stable.Log1mExp(Doubles(-1e-10, -Math.Log(2), -50)),
            1e-15
        );
        GradientCheck.Run(inputs => Stable.Log1mExp(inputs[0]).sum(), Doubles(-0.3, -0.7, -2));
    }

    [Fact]
    public void WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var policy = Pairs(1);
        var flat = new PairLogProbs(policy.Chosen, policy.Rejected);
        void Refused<T>(string what, Action action)
            where T : ArgumentException => Assert.Contains(what, Assert.Throws<T>(action).Message, StringComparison.Ordinal);
        Refused<ArgumentException>("policy.ChosenLengths is null", () => PreferenceLosses.Orpo(flat));
        Refused<ArgumentException>("policy.ChosenLengths is null", () => PreferenceLosses.Cpo(flat, CpoObjective.Simpo()));
        Refused<ArgumentException>("policy.ChosenLengths is null", () => PreferenceLosses.Cpo(flat, CpoObjective.Cpo()));
        Refused<ArgumentException>("goldLengths has shape [2]", () => PreferenceLosses.Tpo(policy, ones(3), ones(2), CpoObjective.Tpo()));
        Refused<ArgumentException>("likelihood has shape [4], expected a scalar", () => PreferenceLosses.Orpo(policy, 0.1, ones(4)));
        Refused<ArgumentOutOfRangeException>("lambda", () => PreferenceLosses.Orpo(policy, 0));
        Refused<ArgumentOutOfRangeException>("Beta", () => PreferenceLosses.Cpo(policy, new CpoObjective { Beta = -1 }));
        Refused<ArgumentOutOfRangeException>("TargetMargin", () => PreferenceLosses.Cpo(policy, CpoObjective.Simpo(1, -1)));
        Refused<ArgumentOutOfRangeException>("LikelihoodWeight", () => PreferenceLosses.Cpo(policy, CpoObjective.Cpo(1, -1)));
        Refused<ArgumentOutOfRangeException>("RewardShape", () => PreferenceLosses.Cpo(policy, CpoObjective.AlphaPo(double.NaN)));
    }
}
