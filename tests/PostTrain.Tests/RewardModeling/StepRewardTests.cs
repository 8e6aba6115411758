using PostTrain.Numerics;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.RewardModeling;

public sealed class StepRewardTests
{
    private static readonly double Log3 = Math.Log(3);

    [Fact]
    public void Classification_GivesTheHandWorkedNumbers()
    {
        using var scope = NewDisposeScope();
        // σ = ¾, ½, ¼ with labels 1, 0, 0.8.
        var logits = tensor(new[] { Log3, 0, -Log3 });
        var labels = tensor(new[] { 1, 0, 0.8 });
        double[] expected = [Math.Log(4.0 / 3), Math.Log(2), 0.8 * Math.Log(4) + 0.2 * Math.Log(4.0 / 3)];
        var outcome = RewardClassificationLosses.Outcome(logits, labels);
        TensorAssert.Close(expected, outcome.ItemLosses, 1e-14);
        TensorAssert.Close(expected.Average(), outcome.Loss, 1e-14);
        TensorAssert.Close(2.0 / 3, outcome.Accuracy, 1e-14);
        // (σ(z) − c)/3
        TensorAssert.Close(
            [-0.25 / 3, 0.5 / 3, -0.55 / 3],
            Numbers.Gradient(x => RewardClassificationLosses.Outcome(x, labels).Loss, logits),
            1e-14
        );
        var mask = tensor(
            new[,]
            {
                { 1.0, 0, 1 },
            }
        );
        var steps = RewardClassificationLosses.Steps(logits.unsqueeze(0), labels.unsqueeze(0), mask);
        TensorAssert.Close([expected[0], 0, expected[2]], steps.ItemLosses, 1e-14);
        TensorAssert.Close((expected[0] + expected[2]) / 2, steps.Loss, 1e-14);
        TensorAssert.Close(0.5, steps.Accuracy, 1e-14);
        var classes = RewardClassificationLosses.StepClasses(
            stack([zeros(1, 3, dtype: ScalarType.Float64), logits.unsqueeze(0)], -1),
            tensor(
                new long[,]
                {
                    { 1, -100, 0 },
                }
            ),
            mask
        );
        TensorAssert.Close([expected[0], 0, Math.Log(4.0 / 3)], classes.ItemLosses, 1e-14);
    }

    [Fact]
    public void Steps_ObeyTheLawsOfTokenLosses()
    {
        using var scope = NewDisposeScope();
        var (logits, labels, mask) = (Numbers.Uniform(1, 3, 3, 4), Numbers.Uniform(2, 0.5, 3, 4) + 0.5, Numbers.Mask(4, 4, 2, 0));
        Tensor Loss(Tensor z, Tensor c, Tensor m, LossAggregation? a = null) => RewardClassificationLosses.Steps(z, c, m, a).Loss;
        foreach (var aggregation in new[] { LossAggregation.TokenMean, LossAggregation.SequenceMean, LossAggregation.SequenceSum(4) })
            GradientCheck.Run(x => Loss(x[0], labels, mask, aggregation), logits);
        GradientCheck.Run(x => RewardClassificationLosses.Outcome(x[0], labels.select(0, 0)).Loss, logits.select(0, 0));
        var poisoned = Loss(logits.masked_fill(mask == 0, double.NaN), labels.masked_fill(mask == 0, double.NaN), mask);
        TensorAssert.Same(Loss(logits, labels, mask), poisoned);
        TensorAssert.Finite(Numbers.Gradient(x => Loss(x, labels, mask), logits.masked_fill(mask == 0, double.NaN)));
        TensorAssert.Zero(Numbers.Gradient(x => Loss(x, labels, zeros(3, 4)), logits));
        TensorAssert.Close([0, 1e4], RewardClassificationLosses.Outcome(tensor([1e4f, 1e4f]), tensor([1f, 0f])).ItemLosses, 0);
        TensorAssert.Close(
            [0, 0.5],
            Numbers.Gradient(x => RewardClassificationLosses.Outcome(x, tensor([1f, 0f])).Loss, tensor([1e4f, 1e4f])),
            0
        );
        TensorAssert.Close(0, RewardClassificationLosses.Outcome(zeros(0), zeros(0)).Loss, 0);
    }

    [Fact]
    public void MonteCarloLabels_CountWhatReachedTheAnswer()
    {
        using var scope = NewDisposeScope();
        var correct = tensor(
            new[,,]
            {
                {
                    { 1L, 0, 0, 1 },
                    { 0, 0, 0, 0 },
                },
                {
                    { 1, 1, 1, 1 },
                    { 0, 1, 1, 0 },
                },
            }
        );
        var mask = tensor(
            new[,,]
            {
                {
                    { 1L, 1, 1, 1 },
                    { 1, 1, 1, 1 },
                },
                {
                    { 1, 1, 1, 0 },
                    { 1, 0, 0, 1 },
                },
            }
        );
        TensorAssert.Close([0.5, 0, 1, 0], StepLabels.MonteCarloSoft(correct, mask), 0);
        TensorAssert.Close([1, 0, 1, 0], StepLabels.MonteCarloHard(correct, mask), 0);
        Assert.Equal([2L, 2L], StepLabels.MonteCarloSoft(correct, mask).shape);
        TensorAssert.Close(
            [1.0],
            StepLabels.MonteCarloHard(
                tensor(
                    new[,]
                    {
                        { false, true },
                    }
                ),
                ones(1, 2)
            ),
            0
        );
    }

    /// <summary>Over all outcomes of N = 3 completions with success probability V: soft labels have the mean V, hard ones 1 − (1 −
    /// V)³.</summary>
    [Fact]
    public void MonteCarloLabels_HaveTheirExpectations()
    {
        using var scope = NewDisposeScope();
        const double Value = 0.3;
        var outcomes = tensor(Enumerable.Range(0, 24).Select(i => (double)(i / 3 >> i % 3 & 1)).ToArray()).reshape(8, 3);
        var probabilities = (outcomes * Value + (1 - outcomes) * (1 - Value)).prod(1L);
        TensorAssert.Close(Value, (probabilities * StepLabels.MonteCarloSoft(outcomes, ones(8, 3))).sum(), 1e-15);
        TensorAssert.Close(1 - 0.7 * 0.7 * 0.7, (probabilities * StepLabels.MonteCarloHard(outcomes, ones(8, 3))).sum(), 1e-15);
    }

    [Theory]
    [InlineData(StepAggregation.Product, 0.2, 1)]
    [InlineData(StepAggregation.Minimum, 0.5, 0)]
    [InlineData(StepAggregation.Last, 0.8, 0)]
    [InlineData(StepAggregation.Mean, 0.6, 0)]
    [InlineData(StepAggregation.LogSum, -1.6094379124341003, 0)]
    public void StepScores_AreWhatTheirNamesSay(StepAggregation aggregation, double expected, double empty)
    {
        using var scope = NewDisposeScope();
        var probabilities = tensor(
            new[,]
            {
                { 0.5, 0.1, 0.5, 0.8 },
                { 0.3, 0.3, 0.3, 0.3 },
                { double.NaN, 0.5, 0.5, 0.8 },
            }
        );
        var mask = tensor(
            new[,]
            {
                { 1.0, 0, 1, 1 },
                { 0, 0, 0, 0 },
                { 0, 1, 1, 1 },
            }
        );
        TensorAssert.Close([expected, empty, expected], StepScores.Aggregate(probabilities, mask, aggregation), 1e-14);
        TensorAssert.Finite(Numbers.Gradient(x => StepScores.Aggregate(x, mask, aggregation).sum(), probabilities));
    }

    [Fact]
    public void Ensembles_GiveTheHandWorkedNumbers_AndAgreeWhereTheModelsDo()
    {
        using var scope = NewDisposeScope();
        var rewards = tensor(
            new[,]
            {
                { 1.0, 2 },
                { 3, 2 },
                { 5, 2 },
            }
        );
        TensorAssert.Close([3, 2], RewardEnsembles.Mean(rewards), 0);
        TensorAssert.Close([1, 2], RewardEnsembles.WorstCase(rewards), 0);
        // Variance (4 + 0 + 4)/3
        TensorAssert.Close([3 - 0.3 * 8 / 3, 2], RewardEnsembles.UncertaintyWeighted(rewards, 0.3), 1e-15);
        TensorAssert.Same(RewardEnsembles.Mean(rewards), RewardEnsembles.UncertaintyWeighted(rewards, 0));
        GradientCheck.Run(x => RewardEnsembles.UncertaintyWeighted(x[0], 0.3).square().sum(), Numbers.Uniform(3, 1, 3, 4));
        TensorAssert.Close([1, 1.0 / 3, 0, 1.0 / 3, 0, 1.0 / 3], Numbers.Gradient(x => RewardEnsembles.WorstCase(x).sum(), rewards), 1e-15);
    }

    [Fact]
    public void RunningStatistics_AreThoseOfAllRewards_HoweverTheyCome()
    {
        using var scope = NewDisposeScope();
        // A large mean with a small variance: sums of squares would lose it.
        var rewards = Numbers.Uniform(4, 1, 100) + 1e8;
        var whole = RunningRewardStatistics.Empty.Add(rewards);
        var parts = RunningRewardStatistics
            .Empty.Add(rewards.narrow(0, 0, 7))
            .Add(rewards.narrow(0, 7, 0))
            .Add(rewards.narrow(0, 7, 60))
            .Merge(RunningRewardStatistics.Empty.Add(rewards.narrow(0, 67, 33)));
        double variance = (rewards - 1e8).std(false).square().ToDouble();
        Assert.Equal(100, parts.Count);
        Assert.Equal(variance, whole.Variance, 1e-7);
        Assert.Equal(variance, parts.Variance, 1e-7);
        Assert.Equal(whole.Mean, parts.Mean, 1e-7);
        var simple = RunningRewardStatistics.Empty.Add(tensor(new[] { 1f, 3f })).Add(tensor(new[] { 5f, 7f }));
        Assert.Equal(new RunningRewardStatistics(4, 4, 20), simple);
        double deviation = Math.Sqrt(5);
        TensorAssert.Close([-3 / deviation, 0, 6 / deviation], simple.Normalize(tensor(new[] { 1.0, 4, 10 }), epsilon: 0), 1e-15);
        TensorAssert.Close(
            [1 / deviation, 4 / deviation, 10 / deviation],
            simple.Normalize(tensor(new[] { 1.0, 4, 10 }), keepMean: true, epsilon: 0),
            1e-15
        );
        TensorAssert.Close([-1, 0, 2], simple.Normalize(tensor(new[] { -9.0, 4, 10 }), epsilon: 0, clip: 2).clamp_min(-1), 1e-15);
        TensorAssert.Close([0.0, 2], RunningRewardStatistics.Empty.Add(tensor(new[] { 3.0 })).Normalize(tensor(new[] { 3.0, 5 })), 0);
        TensorAssert.Close([3.0], RunningRewardStatistics.Empty.Normalize(tensor(new[] { 3.0 })), 0);
        Assert.Throws<ArgumentException>(() => simple.Add(tensor(new[] { double.NaN })));
    }

    [Fact]
    public void StepEncoding_RefusesWhatHasNoLabelOrNoPlaceForIt()
    {
        var tokenizer = new CodePoints();
        var encoding = StepEncoding.Of(new StepwiseExample("a", ["b", "c"], [1, 0]), tokenizer);
        Assert.Equal([2, 4], encoding.Ends);
        Assert.Equal([1, 0], encoding.Labels);
        Assert.Equal(5, encoding.Tokens.Length);
        Assert.Contains(
            "1 labels",
            Assert.Throws<ArgumentException>(() => StepEncoding.Of(new StepwiseExample("a", ["b", "c"], [1]), tokenizer)).Message
        );
        Assert.Contains(
            "Separator is empty",
            Assert
                .Throws<ArgumentException>(() =>
                    StepEncoding.Of(new StepwiseExample("a", ["b"], [1]), tokenizer, new StepEncodingOptions { Separator = "" })
                )
                .Message
        );
        Assert.Equal(
            "MaximumLength",
            Assert
                .Throws<ArgumentOutOfRangeException>(() =>
                    StepEncoding.Of(new StepwiseExample("a", ["b"], [1]), tokenizer, new StepEncodingOptions { MaximumLength = 0 })
                )
                .ParamName
        );
        var cut = StepEncoding.Of(new StepwiseExample("abc", ["b"], [1]), tokenizer, new StepEncodingOptions { MaximumLength = 2 });
        Assert.Equal(2, cut.Tokens.Length);
        Assert.Empty(cut.Ends);
    }

    [Fact]
    public void OnlyTheResultsStayAlive()
    {
        using var logits = Numbers.Uniform(5, 1, 2, 3).requires_grad_(true);
        using var labels = Numbers.Uniform(6, 0.5, 2, 3).add_(0.5);
        using var bits = Numbers.Ids(7, 2, 2, 3);
        using var mask = Numbers.Mask(3, 3, 2);
        using var pair = Numbers.Mask(1, 1, 1).squeeze_(1);
        using var classLogits = Numbers.Uniform(8, 1, 2, 3, 4);
        using var classLabels = Numbers.Ids(9, 4, 2, 3);
        static Tensor[] All(RewardClassificationLoss loss) => [loss.Loss, loss.ItemLosses, loss.Accuracy];
        Ownership.Check(() => All(RewardClassificationLosses.Steps(logits, labels, mask)), logits, labels, mask);
        Ownership.Check(() => All(RewardClassificationLosses.Outcome(pair, pair)), pair);
        Ownership.Check(() => All(RewardClassificationLosses.StepClasses(classLogits, classLabels, mask)), classLogits, classLabels, mask);
        Ownership.Check(() => [StepLabels.MonteCarloSoft(labels, mask), StepLabels.MonteCarloHard(bits, mask)], labels, bits, mask);
        foreach (var aggregation in Enum.GetValues<StepAggregation>())
            Ownership.Check(() => [StepScores.Aggregate(labels, mask, aggregation)], labels, mask);
        Ownership.Check(
            () => [RewardEnsembles.Mean(logits), RewardEnsembles.WorstCase(logits), RewardEnsembles.UncertaintyWeighted(logits, 1)],
            logits
        );
        var statistics = RunningRewardStatistics.Empty.Add(labels);
        Ownership.Check(
            () =>
            {
                statistics.Add(labels);
                return [statistics.Normalize(labels, clip: 1)];
            },
            labels
        );
    }

    [Fact]
    public void BadArguments_AreNamed()
    {
        using var scope = NewDisposeScope();
        var (table, row) = (Numbers.Uniform(10, 0.4, 2, 3) + 0.5, Numbers.Uniform(11, 0.4, 3) + 0.5);
        Assert.Contains(
            "labels has shape [3]",
            Assert.Throws<ArgumentException>(() => RewardClassificationLosses.Steps(table, row, table)).Message
        );
        Assert.Equal(
            "labels",
            Assert.Throws<ArgumentOutOfRangeException>(() => RewardClassificationLosses.Outcome(row, row + 1)).ParamName
        );
        Assert.Equal("correct", Assert.Throws<ArgumentOutOfRangeException>(() => StepLabels.MonteCarloHard(row * 3, row)).ParamName);
        Assert.Contains("mask has shape [3]", Assert.Throws<ArgumentException>(() => StepLabels.MonteCarloSoft(table, row)).Message);
        Assert.Contains(
            "correct has shape [2, 0]",
            Assert.Throws<ArgumentException>(() => StepLabels.MonteCarloSoft(zeros(2, 0), zeros(2, 0))).Message
        );
        Assert.Equal(
            "aggregation",
            Assert.Throws<ArgumentOutOfRangeException>(() => StepScores.Aggregate(table, table, (StepAggregation)9)).ParamName
        );
        Assert.Equal(
            "probabilities",
            Assert.Throws<ArgumentOutOfRangeException>(() => StepScores.Aggregate(table - 2, table, StepAggregation.Mean)).ParamName
        );
        Assert.Contains("rewards has shape [0, 2]", Assert.Throws<ArgumentException>(() => RewardEnsembles.WorstCase(zeros(0, 2))).Message);
        Assert.Equal(
            "coefficient",
            Assert.Throws<ArgumentOutOfRangeException>(() => RewardEnsembles.UncertaintyWeighted(table, -1)).ParamName
        );
        Assert.Equal(
            "clip",
            Assert.Throws<ArgumentOutOfRangeException>(() => RunningRewardStatistics.Empty.Normalize(row, clip: 0)).ParamName
        );
    }
}
