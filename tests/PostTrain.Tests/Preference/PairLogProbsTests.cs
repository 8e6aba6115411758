using PostTrain.Preference;
using PostTrain.Preference.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static PostTrain.Tests.Preference.PreferenceData;
using static TorchSharp.torch;

namespace PostTrain.Tests.Preference;

public sealed class PairLogProbsTests
{
    private static readonly double[,] ChosenTokens =
    {
        { -1, -2, -3, double.NaN },
        { -4, double.NaN, double.NaN, double.NaN },
    };
    private static readonly double[,] RejectedTokens =
    {
        { -5, double.NaN },
        { -6, -7 },
    };

    [Fact]
    public void Of_SumsWhatCounts_AndWeighsTheTail()
    {
        using var scope = NewDisposeScope();
        PairLogProbs Of(double tail) =>
            PairLogProbs.Of(tensor(ChosenTokens), tensor(RejectedTokens), Numbers.Mask(4, 3, 1), Numbers.Mask(2, 1, 2), tail);
        var plain = Of(1);
        TensorAssert.Close([-6, -4], plain.Chosen, 0);
        TensorAssert.Close([-5, -13], plain.Rejected, 0);
        TensorAssert.Close([3, 1], plain.ChosenLengths!, 0);
        TensorAssert.Close([1, 2], plain.RejectedLengths!, 0);
        // Both pairs share one token.
        var half = Of(0.5);
        TensorAssert.Close([-1 - 2.5, -4], half.Chosen, 0);
        TensorAssert.Close([-5, -6 - 3.5], half.Rejected, 0);
        var none = Of(0);
        TensorAssert.Close([-1, -4], none.Chosen, 0);
        TensorAssert.Close([-5, -6], none.Rejected, 0);
        var gradient = Numbers.Gradient(
            x => PairLogProbs.Of(x, tensor(RejectedTokens), Numbers.Mask(4, 3, 1), Numbers.Mask(2, 1, 2), 0.25).Chosen.sum(),
            tensor(ChosenTokens)
        );
        TensorAssert.Close([1, 0.25, 0.25, 0, 1, 0, 0, 0], gradient, 0);
    }

    [Fact]
    public void Of_KeepsOwnership_AndRefusesWhatDoesNotFit()
    {
        using var scope = NewDisposeScope();
        var (values, mask) = (Numbers.Uniform(1, 1, 2, 3), Numbers.Mask(3, 3, 1));
        Ownership.Check(
            () =>
            {
                var pairs = PairLogProbs.Of(values, values, mask, mask, 0.5);
                return [pairs.Chosen, pairs.Rejected, pairs.ChosenLengths!, pairs.RejectedLengths!];
            },
            values,
            mask
        );
        Assert.Contains(
            "chosenMask has shape [2, 2]",
            Assert.Throws<ArgumentException>(() => PairLogProbs.Of(values, values, ones(2, 2), mask)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "rejected has 1 rows, expected 2",
            Assert.Throws<ArgumentException>(() => PairLogProbs.Of(values, ones(1, 3), mask, ones(1, 3))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentOutOfRangeException>(() => PairLogProbs.Of(values, values, mask, mask, 1.5));
    }

    [Fact]
    public void Wpo_WeighsByTheAlignmentOfTheTokens()
    {
        using var scope = NewDisposeScope();
        // π = (3/4, 1/4): log Σπ² = log 10/16. Chosen takes tokens 0 and 1, rejected token 0, and an empty rejected row.
        var logits = tensor(new[] { Math.Log(3), 0.0 }).expand(2, 2, 2);
        var targets = tensor(
            new long[,]
            {
                { 0, 1 },
                { 0, 0 },
            }
        );
        var weights = PreferenceWeights.Wpo(logits, targets, ones(2, 2), logits, targets, Numbers.Mask(2, 1, 0));
        double likely = 0.75 / 0.625,
            unlikely = 0.25 / 0.625;
        TensorAssert.Close([Math.Sqrt(likely * unlikely) * likely, likely], weights, 1e-14);
        Assert.False(
            PreferenceWeights.Wpo(logits.clone().requires_grad_(true), targets, ones(2, 2), logits, targets, ones(2, 2)).requires_grad
        );
        var mask = ones(2, 2);
        Ownership.Check(() => [PreferenceWeights.Wpo(logits, targets, mask, logits, targets, mask)], logits, targets, mask);
        Assert.Contains(
            "rejectedLogits has 1 rows",
            Assert
                .Throws<ArgumentException>(() => PreferenceWeights.Wpo(logits, targets, ones(2, 2), ones(1, 2, 2), ones(1, 2), ones(1, 2)))
                .Message,
            StringComparison.Ordinal
        );
    }
}
