using PostTrain.Preference;
using PostTrain.Preference.Batches;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class OnlineLossesTests
{
    private static readonly double[,] LogProbs =
    {
        { -1, -2, double.NaN },
        { -3, -1, -2 },
    };
    private static readonly double[,] ReferenceLogProbs =
    {
        { -2, -2.5, double.NaN },
        { -1, -2, -4 },
    };

    private static Tensor[] All(NashMdLoss loss) => [loss.Loss, loss.Losses, loss.Scores, loss.Kl];

    private static Tensor[] All(UnpairedLoss loss) => [loss.Loss, loss.Losses, loss.Rewards];

    [Fact]
    public void NashMd_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        var (reference, wins, mask) = (tensor(ReferenceLogProbs), Doubles(0.75, 0.25), Numbers.Mask(3, 2, 3));
        NashMdLoss Loss(Tensor x, bool perToken) => PreferenceLosses.NashMd(x, reference, wins, mask, 0.5, perToken);
        // Log-ratios 1, 0.5 | −2, 1, 2: from each token on 1.5, 0.5 | 1, 3, 2.
        var loss = Loss(tensor(LogProbs), false);
        TensorAssert.Close([1.5, 1], loss.Kl, 1e-15);
        TensorAssert.Close([-0.75, 1.5], loss.Scores, 1e-15);
        TensorAssert.Close([0.5 * (-1.5 - 1) + 0.75, 0.5 * (-3 - 3 - 4) - 1.5], loss.Losses, 1e-14);
        TensorAssert.Close([0.5 * (-1 - 1) + 0.75, 0.5 * (6 - 1 - 4) - 1.5], Loss(tensor(LogProbs), true).Losses, 1e-14);
        // (β·weight − (P − ½))/2
        TensorAssert.Close([0.25, 0, 0, 0.375, 0.875, 0.625], Numbers.Gradient(x => Loss(x, false).Loss, tensor(LogProbs)), 1e-14);
        Assert.DoesNotContain(All(Loss(tensor(LogProbs).requires_grad_(true), false))[2..], diagnostic => diagnostic.requires_grad);
        Ownership.Check(() => All(Loss(reference, false)), reference, wins, mask);
        TensorAssert.Close(0, PreferenceLosses.NashMd(zeros(0, 2), zeros(0, 2), zeros(0), zeros(0, 2)).Loss, 0);
    }

    /// <summary>
    /// Over all sequences of two tokens, E[gradient] of the KL term is the gradient of KL(π‖π_ref) where weights reach to the end, and is
    /// not with each token's own log-ratio.
    /// </summary>
    [Fact]
    public void NashMdsKlTerm_HasTheSequenceKlsGradient()
    {
        using var scope = NewDisposeScope();
        // Logits of the first token [2] and of the second after each first [2,2].
        var (first, second) = (Numbers.Uniform(1, 1, 2), Numbers.Uniform(17, 1, 2, 2));
        var (firstReference, secondReference) = (Numbers.Uniform(40, 1, 2), Numbers.Uniform(91, 1, 2, 2));
        static Tensor Tokens(Tensor a, Tensor b) => stack([a.log_softmax(0).repeat_interleave(2), b.log_softmax(1).reshape(4)], 1);
        var reference = Tokens(firstReference, secondReference);
        Tensor Kl(Tensor a)
        {
            var tokens = Tokens(a, second);
            return (tokens.sum(1L).exp() * (tokens - reference).sum(1L)).sum();
        }
        Tensor Expected(Tensor a, bool perToken)
        {
            var tokens = Tokens(a, second);
            var losses = PreferenceLosses
                .NashMd(tokens, reference, full(4, 0.5, dtype: ScalarType.Float64), ones(4, 2), 1, perToken)
                .Losses;
            return (tokens.sum(1L).exp().detach() * losses).sum();
        }
        var exact = Numbers.Gradient(Kl, first);
        TensorAssert.Close(exact, Numbers.Gradient(a => Expected(a, false), first), 1e-14);
        Assert.True((exact - Numbers.Gradient(a => Expected(a, true), first)).abs().max().ToDouble() > 1e-3);
    }

    [Fact]
    public void GeometricMixture_LiesBetweenItsEnds()
    {
        using var scope = NewDisposeScope();
        var (logits, reference) = (Doubles(0, Math.Log(4)), Doubles(0, 0));
        TensorAssert.Close([Math.Log(0.2), Math.Log(0.8)], PreferenceLosses.GeometricMixture(logits, reference, 0), 1e-15);
        TensorAssert.Close([Math.Log(1 / 3.0), Math.Log(2 / 3.0)], PreferenceLosses.GeometricMixture(logits, reference, 0.5), 1e-15);
        TensorAssert.Close([-Math.Log(2), -Math.Log(2)], PreferenceLosses.GeometricMixture(logits, reference, 1), 1e-15);
        Ownership.Check(() => [PreferenceLosses.GeometricMixture(logits, reference, 0.5)], logits, reference);
    }

    [Fact]
    public void OnlineDpo_IsDpoOfThePairsThatTheRewardsOrder()
    {
        using var scope = NewDisposeScope();
        var (logProbs, reference, rewards) = (Numbers.Uniform(1, 2, 6), Numbers.Uniform(31, 2, 6), Doubles(1, 0, 3, 2, 0, -1));
        var selection = PairSelection.ByReward(rewards);
        TensorAssert.Close([3, 1, 2], selection.Chosen, 0);
        TensorAssert.Close([0, 4, 5], selection.Rejected, 0);
        PairLogProbs Pick(Tensor values) => new(values[selection.Chosen], values[selection.Rejected]);
        var (online, dpo) = (
            PreferenceLosses.OnlineDpo(logProbs, reference, rewards),
            PreferenceLosses.Dpo(Pick(logProbs), Pick(reference))
        );
        TensorAssert.Same(dpo.Loss, online.Loss);
        TensorAssert.Same(dpo.Margins, online.Margins);
        Ownership.Check(() => Tensors(PreferenceLosses.OnlineDpo(logProbs, reference, rewards)), logProbs, reference, rewards);
        Ownership.Check(
            () =>
            {
                var picked = PairSelection.ByReward(rewards);
                return [picked.Chosen, picked.Rejected];
            },
            rewards
        );
    }

    [Fact]
    public void Xpo_IsDpoAndTheLikelihoodOfTheReferencesCompletions()
    {
        using var scope = NewDisposeScope();
        var (policy, reference, explored) = (Pairs(1), Pairs(5), Doubles(-1, -2, -3, -6));
        var dpo = PreferenceLosses.Dpo(policy, reference);
        TensorAssert.Close(dpo.Loss - 0.3, PreferenceLosses.Xpo(policy, reference, explored, 0.1).Loss, 1e-14);
        TensorAssert.Same(dpo.Loss, PreferenceLosses.Xpo(policy, reference, explored, 0).Loss);
        TensorAssert.Close(
            [0.025, 0.025, 0.025, 0.025],
            Numbers.Gradient(x => PreferenceLosses.Xpo(policy, reference, x, 0.1).Loss, explored),
            1e-15
        );
        Ownership.Check(() => Tensors(PreferenceLosses.Xpo(policy, reference, explored, 0.1)), policy.Chosen, reference.Chosen, explored);
    }

    [Fact]
    public void Sppo_OfAPairIsItsHardForm_AndItsMinimumIsTheTarget()
    {
        using var scope = NewDisposeScope();
        var (policy, reference) = (Pairs(1), Pairs(5));
        var winner = RegressionLosses.Sppo(policy.Chosen, reference.Chosen, ones(4), 0.5);
        var loser = RegressionLosses.Sppo(policy.Rejected, reference.Rejected, zeros(4), 0.5);
        TensorAssert.Close(
            PreferenceLosses.Dpo(policy, reference, new DpoObjective { Beta = 0.5, Loss = DpoLoss.SppoHard }).PairLosses,
            winner.Losses + loser.Losses,
            1e-14
        );
        // D = (0.8 − 0.5)/0.1 = 3
        TensorAssert.Close(0, RegressionLosses.Sppo(Doubles(-1), Doubles(-4), Doubles(0.8), 0.1).Loss, 1e-28);
        GradientCheck.Run(inputs => RegressionLosses.Sppo(inputs[0], reference.Chosen, zeros(4), 0.5).Loss, policy.Chosen);
        GradientCheck.Run(
            inputs => RegressionLosses.OptimalAdvantage(inputs[0], reference.Chosen, policy.Rejected, 0.5).Loss,
            policy.Chosen
        );
        Ownership.Check(
            () => All(RegressionLosses.Sppo(policy.Chosen, reference.Chosen, policy.Rejected)),
            policy.Chosen,
            reference.Chosen
        );
    }

    [Fact]
    public void OptimalAdvantage_AndValue_GiveTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // (0.5·2 − (1 − 0.25))²
        var loss = RegressionLosses.OptimalAdvantage(Doubles(-1), Doubles(-3), Doubles(0.75), 0.5);
        TensorAssert.Close([0.0625], loss.Losses, 1e-15);
        TensorAssert.Close([1], loss.Rewards, 1e-15);
        var rewards = tensor(
            new[,]
            {
                { 0, Math.Log(3) },
                { 2, 2 },
            }
        );
        TensorAssert.Close([Math.Log(2), 2], RegressionLosses.OptimalValue(rewards, 1), 1e-15);
        TensorAssert.Close([Math.Log(3) / 2, 2], RegressionLosses.OptimalValue(rewards, 1e6), 1e-6);
        TensorAssert.Close([Math.Log(3), 2], RegressionLosses.OptimalValue(rewards, 1e-5), 1e-4);
    }

    [Fact]
    public void ReferenceSync_Blends_AndRefusesWhatDoesNotFit()
    {
        using var scope = NewDisposeScope();
        var (reference, policy) = (Doubles(1, 2), Doubles(3, -2));
        ReferenceSync.Blend([reference], [policy], 0.25);
        TensorAssert.Close([1.5, 1], reference, 1e-15);
        ReferenceSync.Blend([reference], [policy], 0);
        TensorAssert.Close([1.5, 1], reference, 0);
        ReferenceSync.Blend([reference.requires_grad_(true)], [policy.requires_grad_(true)], 1);
        TensorAssert.Same(policy, reference);
        Assert.Contains(
            "policy holds 2 tensors, expected 1",
            Assert.Throws<ArgumentException>(() => ReferenceSync.Blend([reference], [policy, policy])).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "policy[1] has shape [3]",
            Assert.Throws<ArgumentException>(() => ReferenceSync.Blend([reference, reference], [policy + 1, ones(3)], 1)).Message,
            StringComparison.Ordinal
        );
        TensorAssert.Same(policy, reference);
        Assert.Throws<ArgumentOutOfRangeException>(() => ReferenceSync.Blend([reference], [policy], 1.5));
    }

    [Fact]
    public void WrongArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        void Refused<T>(string what, Action action)
            where T : ArgumentException => Assert.Contains(what, Assert.Throws<T>(action).Message, StringComparison.Ordinal);
        Refused<ArgumentException>("rewards holds 3 values, expected an even number", () => PairSelection.ByReward(ones(3)));
        Refused<ArgumentException>("rewards has shape [2], expected [4]", () => PreferenceLosses.OnlineDpo(ones(4), ones(4), ones(2)));
        Refused<ArgumentException>(
            "explorationLogProbs has shape [2], expected [4]",
            () => PreferenceLosses.Xpo(Pairs(1), Pairs(5), ones(2))
        );
        Refused<ArgumentException>(
            "winProbabilities has shape [3], expected [2]",
            () => PreferenceLosses.NashMd(ones(2, 3), ones(2, 3), ones(3), ones(2, 3))
        );
        Refused<ArgumentException>("mask has shape [2, 2]", () => PreferenceLosses.NashMd(ones(2, 3), ones(2, 3), ones(2), ones(2, 2)));
        Refused<ArgumentOutOfRangeException>("coefficient", () => PreferenceLosses.GeometricMixture(ones(2), ones(2), 2));
        Refused<ArgumentException>(
            "advantages has shape [1], expected [2]",
            () => RegressionLosses.OptimalAdvantage(ones(2), ones(2), ones(1))
        );
        Refused<ArgumentException>("rewards has shape [2], expected [B,N]", () => RegressionLosses.OptimalValue(ones(2), 1));
        Refused<ArgumentOutOfRangeException>("beta", () => RegressionLosses.Sppo(ones(2), ones(2), ones(2), 0));
    }
}
