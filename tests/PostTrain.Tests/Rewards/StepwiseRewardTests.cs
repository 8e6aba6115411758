using PostTrain.Data;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Rewards;

public sealed class StepwiseRewardTests
{
    private static Completion Of(string text, int[]? tokens = null) => new(new Problem("?", "6"), text, tokens ?? [], true);

    private static IStepReward Fixed(params double[] scores) =>
        StepReward.OfAll(
            "fixed",
            (completions, _, _) => ValueTask.FromResult<IReadOnlyList<double[]>>([.. completions.Select(_ => scores)])
        );

    [Fact]
    public void Split_KeepsPlaces_AndLeavesBlanksOut()
    {
        var stepped = SteppedCompletion.Of(Of("a = 1\n\n  b\nc"));
        Assert.Equal(["a = 1", "b", "c"], stepped.Steps.Select(step => step.Text));
        Assert.Equal([5, 10, 12], stepped.Steps.Select(step => step.End));
        Assert.Equal("a = 1\n\n  b", stepped.Prefix(1));
        Assert.Equal(2, SteppedCompletion.Of(Of("a = 1\n\n  b\nc"), "\n\n").Steps.Count);
        Assert.Empty(SteppedCompletion.Of(Of(" \n ")).Steps);
        Assert.Empty(SteppedCompletion.Of(Of("")).Steps);
    }

    [Theory]
    [InlineData(StepAggregation.Product, 0.9 * 0.5 * 0.8)]
    [InlineData(StepAggregation.Minimum, 0.5)]
    [InlineData(StepAggregation.Last, 0.8)]
    [InlineData(StepAggregation.Mean, 2.2 / 3)]
    public async Task Aggregated_HandWorked_WithoutWhatIsNotApplicable(StepAggregation aggregation, double expected)
    {
        var reward = StepReward.Aggregated(Fixed(0.9, 0.5, double.NaN, 0.8), aggregation);
        Assert.Equal(expected, (await reward.ScoreAsync([Of("a\nb\nc\nd")], RewardContext.None)).Values[0], 12);
    }

    [Fact]
    public async Task Aggregated_NothingScored_IsNotApplicable_AndWrongCountsAreNamed()
    {
        Assert.Equal(
            [double.NaN],
            (IEnumerable<double>)
                (await StepReward.Aggregated(Fixed(), StepAggregation.Product).ScoreAsync([Of("")], RewardContext.None)).Values
        );
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await StepReward.Aggregated(Fixed(1), StepAggregation.Last).ScoreAsync([Of("a\nb")], RewardContext.None)
        );
        Assert.Equal("step reward 'fixed' returned 1 scores for completion 0, expected 2, one for each step", error.Message);
    }

    [Fact]
    public async Task Arithmetic_ChecksEveryEquation()
    {
        var completion = SteppedCompletion.Of(
            Of(
                "48/2 = 24 clips in May\nso 48+24 = <<48+24=72>>72\n3 × 4 = 13\nno numbers here\n2*(3+4)=14 and 14/4=3.5.\n"
                    + "1,200 + 34 = 1,234\nx = 5"
            )
        );
        var scores = await StepReward.Arithmetic().ScoreStepsAsync([completion], RewardContext.None);
        Assert.Equal([1, 1, 0, double.NaN, 1, 1, double.NaN], (IEnumerable<double>)scores[0]);
    }

    // After "a" one of four continuations is right, after "b" all are: the values of the uniform policy, exactly.
    [Fact]
    public async Task MonteCarlo_SharesOfRightRollouts()
    {
        ValueTask<IReadOnlyList<Completion>> Roll(Problem problem, string prefix, int count, CancellationToken cancellation) =>
            ValueTask.FromResult<IReadOnlyList<Completion>>([
                .. Enumerable.Range(0, count).Select(i => new Completion(problem, prefix + (prefix == "a" ? $" {3 + i}" : " 6"), [], true)),
            ]);
        var stepped = SteppedCompletion.Of(Of("a\nb"));
        Assert.Equal(
            [0.25, 1],
            (IEnumerable<double>)
                (await StepReward.MonteCarlo(Roll, Reward.MathAnswer(), 4).ScoreStepsAsync([stepped], RewardContext.None))[0]
        );
        Assert.Equal(
            [1.0, 1.0],
            (IEnumerable<double>)
                (await StepReward.MonteCarlo(Roll, Reward.MathAnswer(), 4, hard: true).ScoreStepsAsync([stepped], RewardContext.None))[0]
        );
        Assert.Equal(
            [0.0, 1.0],
            (IEnumerable<double>)
                (await StepReward.MonteCarlo(Roll, Reward.MathAnswer(), 2, hard: true).ScoreStepsAsync([stepped], RewardContext.None))[0]
        );
    }

    [Fact]
    public void TokenEnds_AndPlacement()
    {
        var tokens = Toy.Tokenizer.Encode("ab");
        var text = Toy.Tokenizer.Decode(tokens);
        Assert.Equal("ab", text);
        var stepped = new SteppedCompletion(Of(text, tokens), [new ReasoningStep(0, 1, "a"), new ReasoningStep(1, 2, "b")]);
        Assert.Equal([0, 1], StepRewards.TokenEnds(stepped, Toy.Tokenizer));
        TensorAssert.Close(
            [0.5, 0, -1, 0, 3, 0],
            StepRewards.AtStepEnds(
                [
                    [0.5, -1],
                    [1, 2, double.NaN],
                ],
                [
                    [0, 2],
                    [1, 1, 2],
                ],
                3
            ),
            0
        );
        Ownership.Check(() =>
            [
                StepRewards.AtStepEnds(
                    [
                        [0.5],
                    ],
                    [
                        [0],
                    ],
                    3
                ),
            ]
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            StepRewards.AtStepEnds(
                [
                    [1],
                ],
                [
                    [3],
                ],
                3
            )
        );
        Assert.Throws<ArgumentException>(() =>
            StepRewards.AtStepEnds(
                [
                    [1],
                ],
                [
                    [],
                ],
                3
            )
        );
    }

    [Fact]
    public void Shaped_HandWorked_AndTelescopes()
    {
        Assert.Equal([0.5 * 0.4 - 0.2, 0.5 * 0.8 - 0.4, -0.8], StepRewards.Shaped([0.4, 0.8, 0.9], 0.5, 0.2));
        var random = new Random(4);
        for (var length = 1; length < 9; length++)
        {
            var potentials = Enumerable.Range(0, length).Select(_ => random.NextDouble()).ToArray();
            var sum = StepRewards.Shaped(potentials, 0.9, 0.3).Select((value, k) => Math.Pow(0.9, k) * value).Sum();
            Assert.Equal(-0.3, sum, 12);
        }
    }

    // All solutions of 1 to 3 binary steps: shaping keeps their order, a bonus for each step does not.
    [Fact]
    public void Shaped_KeepsTheBestSolution_AndABonusPerStepDoesNot()
    {
        var random = new Random(8);
        var potentials = new Dictionary<string, double>();
        var rewards = new Dictionary<string, double>();
        foreach (
            var solution in Enumerable
                .Range(1, 3)
                .SelectMany(length => Enumerable.Range(0, 1 << length).Select(bits => Convert.ToString(bits, 2).PadLeft(length, '0')))
        )
            (potentials[solution], rewards[solution]) = (random.NextDouble() * 5, solution == "1" ? 1 : random.NextDouble() * 0.9);
        double Shaping(string solution) =>
            StepRewards.Shaped([.. Enumerable.Range(1, solution.Length).Select(length => potentials[solution[..length]])]).Sum();
        Assert.All(rewards, pair => Assert.Equal(pair.Value, pair.Value + Shaping(pair.Key), 12));
        Assert.Equal("1", rewards.MaxBy(pair => pair.Value + Shaping(pair.Key)).Key);
        Assert.Equal(3, rewards.MaxBy(pair => pair.Value + pair.Key.Length).Key.Length);
    }
}
