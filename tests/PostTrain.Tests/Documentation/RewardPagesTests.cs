using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rewards.Steps;

namespace PostTrain.Tests.Documentation;

/// <summary>The values that the pages of docs/rewards state are those that the rewards give.</summary>
public class RewardPagesTests
{
    private static readonly Problem Sum = new("3+4=", "7");

    [Theory]
    [InlineData("<think>a</think> <answer>b</answer>", 1, 1)]
    [InlineData("Well: <think>a</think><answer>b</answer>", 0, 1)]
    [InlineData("<answer>b</answer><think>a</think>", 0, 1)]
    [InlineData("<think>a<think></think><answer>b</answer>", 0, 0.75)]
    [InlineData("<answer>b</answer>", 0, 0.5)]
    [InlineData("", 0, 0)]
    public async Task Format(string text, double blocks, double marks)
    {
        Assert.Equal((double[])[blocks], await Score(Reward.TagFormat("think", "answer"), Answer(text)));
        Assert.Equal((double[])[marks], await Score(Reward.TagCount("think", "answer"), Answer(text)));
    }

    [Theory]
    [InlineData(0, 0.0, 1.0, -1.0)]
    [InlineData(256, 0.0, 0.75, -0.75)]
    [InlineData(384, 0.0, null, null)]
    [InlineData(448, -0.5, null, null)]
    [InlineData(512, -1.0, 0.5, -0.5)]
    [InlineData(600, -1.0, 0.5, -0.5)]
    public async Task Length(int tokens, double overlong, double? right, double? wrong)
    {
        var options = new CosineLengthOptions { MaximumLength = 512 };
        Assert.Equal((double[])[overlong], await Score(Reward.SoftOverlong(512, 128), Answer("7", tokens)));
        if (right is { } value)
            Assert.Equal(value, (await Score(Reward.CosineLength(Reward.MathAnswer(), options), Answer("7", tokens)))[0], 12);
        if (wrong is { } other)
            Assert.Equal(other, (await Score(Reward.CosineLength(Reward.MathAnswer(), options), Answer("8", tokens)))[0], 12);
    }

    [Theory]
    [InlineData("a b c d", 0)]
    [InlineData("a b a b", -1 / 3.0)]
    [InlineData("a a a a", -2 / 3.0)]
    [InlineData("a", 0)]
    public async Task Repetition(string text, double expected) =>
        Assert.Equal(expected, (await Score(Reward.WordRepetition(size: 2), Answer(text)))[0], 12);

    [Theory]
    [InlineData("The answer is 42.", 1)]
    [InlineData("42", 1)]
    [InlineData("答案 is 42", 0.5)]
    [InlineData("La réponse est 42", 1)]
    public async Task Language(string text, double expected) =>
        Assert.Equal((double[])[expected], await Score(Reward.LanguageConsistency(WritingScripts.Latin), Answer(text)));

    [Theory]
    [InlineData("7 7 7 8", "2/3 2/3 2/3 0", "1 1 1 0")]
    [InlineData("7 7 8 8", "1/3 1/3 1/3 1/3", "1/2 1/2 1/2 1/2")]
    [InlineData("7 8 9 none", "0 0 0 0", "1/3 1/3 1/3 0")]
    public async Task SelfConsistency(string answers, string leaveOneOut, string majority)
    {
        Completion[] group = [.. answers.Split(' ').Select(answer => Answer(answer))];
        Close(leaveOneOut, await Score(Reward.SelfConsistency(), group));
        Close(majority, await Score(Reward.SelfConsistency(new SelfConsistencyOptions { Form = SelfConsistencyForm.Majority }), group));
    }

    [Fact]
    public async Task SelfConsistency_OfOne()
    {
        Assert.True(double.IsNaN((await Score(Reward.SelfConsistency(), Answer("7")))[0]));
        Assert.Equal(
            (double[])[1],
            await Score(Reward.SelfConsistency(new SelfConsistencyOptions { Form = SelfConsistencyForm.Majority }), Answer("7"))
        );
    }

    [Theory]
    [InlineData("1,000", "1000", true)]
    [InlineData("0.5", "1/2", true)]
    [InlineData(@"\frac12", "50%", true)]
    [InlineData("50%", "50", false)]
    [InlineData("$18", "18 dollars", true)]
    [InlineData("18 cm", "18", true)]
    [InlineData("18 cm", "18 m", false)]
    [InlineData(@"2\sqrt{3}", @"\sqrt{12}", true)]
    [InlineData("(x+1)^2", "x^2+2x+1", true)]
    [InlineData("(x^2-1)/(x-1)", "x+1", false)]
    [InlineData("{1,2}", "2, 1", true)]
    [InlineData("(1,2)", "(2,1)", false)]
    [InlineData("x = 5", "5", true)]
    [InlineData("3:4", "6:8", false)]
    [InlineData(@"\text{ B }", "B", true)]
    [InlineData("5!", "120", true)]
    public void MathAnswer(string left, string right, bool same) => Assert.Equal(same, AnswerEquivalence.AreEquivalent(left, right));

    [Fact]
    public void Others()
    {
        Assert.Equal("72", AnswerExtraction.Extract(@"so \boxed{72} apples"));
        Assert.Equal(PuzzleVerdict.Solved, new NumberPuzzle([25, 5, 4], 80).Judge("(25 - 5) * 4 = 80"));
        Assert.Equal(PuzzleVerdict.Malformed, new NumberPuzzle([25, 5, 4], 80).Judge("9**9**9"));
        var vote = Voting.Majority(["12", "12.0", "13", null]);
        Assert.Equal(("12", 2.0), (vote.Answer, vote.Weights.Max()));
        double[] shaped = [0.5, 0.3, -0.8];
        Assert.All(StepRewards.Shaped([0.5, 0.8, 0.9]).Zip(shaped), pair => Assert.Equal(pair.Second, pair.First, 12));
        Assert.Equal(4.25, Judge.ExpectedMark(new Dictionary<int, double> { [4] = 0.6, [5] = 0.2 }), 12);
    }

    private static Completion Answer(string text, int tokens = 1) => new(Sum, text, new int[tokens], Finished: true);

    private static async Task<double[]> Score(IReward reward, params Completion[] completions) =>
        (await reward.ScoreAsync(completions, RewardContext.None)).Values;

    private static void Close(string fractions, double[] values) =>
        Assert.All(fractions.Split(' ').Zip(values), pair => Assert.Equal(Fraction(pair.First), pair.Second, 12));

    private static double Fraction(string text) =>
        text.Split('/')
            .Select(part => double.Parse(part, System.Globalization.CultureInfo.InvariantCulture))
            .Aggregate((above, below) => above / below);
}
