using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class RewardTests
{
    private static Completion Of(string text, string? answer = null) => new(new Problem("?", answer), text, [], true);

    private static async Task<double> Score(IReward reward, string text, string? answer = null) =>
        (await Scoring.ScoreCheckedAsync(reward, [Of(text, answer)])).Values.Single();

    [Theory]
    [InlineData("it is 72", 1)]
    [InlineData("#### 72.0", 1)]
    [InlineData("72 or 73", 0)]
    [InlineData("no idea", 0)]
    public async Task MathAnswer_Defaults(string text, double expected)
    {
        Assert.Equal(expected, await Score(Reward.MathAnswer(), text, "72"));
        Assert.Equal(expected, await Score(Reward.MathAnswer(), text, "48/2 = 24, 48+24 = <<48+24=72>>72\n#### 72"));
    }

    [Theory]
    [InlineData("<answer>72</answer>", 1)]
    [InlineData("<answer>7</answer> 72", 0.1)]
    [InlineData("72", 0)]
    public async Task MathAnswer_ThreeValuesAndPlaces(string text, double expected) =>
        Assert.Equal(
            expected,
            await Score(Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning with { Places = AnswerPlaces.Tags }), text, "72")
        );

    [Fact]
    public async Task MathAnswer_ToleranceReachesTheComparison()
    {
        Assert.Equal(0, await Score(Reward.MathAnswer(), "0.333", "1/3"));
        Assert.Equal(1, await Score(Reward.MathAnswer(tolerance: 0.01), "0.333", "1/3"));
    }

    [Fact]
    public async Task MathAnswer_ProblemWithoutAnswer_NamesTheCompletion()
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await Reward.MathAnswer().ScoreAsync([Of("1", "1"), Of("1")], RewardContext.None)
        );
        Assert.Equal("reward 'correct': the problem of completion 1 has no Answer, expected a reference answer", error.Message);
    }

    [Fact]
    public void MathAnswer_OptionsOutOfRange_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.MathAnswer(-1.0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.MathAnswer(double.NaN));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.None }));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.MathAnswer(new MathAnswerOptions { Wrong = double.NaN }));
    }

    [Theory]
    [InlineData(@"\d+", "123", 1)]
    [InlineData(@"\d+", "123\n", 0)]
    [InlineData(@"\d+", "a123", 0)]
    [InlineData(@"^\d+$", "123", 1)]
    [InlineData("a|ab", "ab", 1)]
    [InlineData("a|b", "ab", 0)]
    [InlineData("a(?=b)b", "ab", 1)]
    [InlineData(@"(.)\1", "aa", 1)]
    [InlineData("", "", 1)]
    public async Task Format_NeedsTheWholeCompletion(string pattern, string text, double expected) =>
        Assert.Equal(expected, await Score(Reward.Format(pattern), text));

    [Fact]
    public async Task Format_OptionsAndComments()
    {
        const string pattern = "<think>.*</think>";
        Assert.Equal(0, await Score(Reward.Format(pattern), "<think>a\nb</think>"));
        Assert.Equal(1, await Score(Reward.Format(pattern, options: RegexOptions.Singleline), "<think>a\nb</think>"));
        Assert.Equal(1, await Score(Reward.Format("a # the letter", options: RegexOptions.IgnorePatternWhitespace), "a"));
    }

    [Theory]
    [InlineData("(a+)+b")] // linear in the engine without backtracking
    [InlineData(@"(?=a)(a+)+b\1")] // exponential with backtracking: cut off
    public async Task Format_HostileText_DoesNotHang(string pattern)
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(0, await Score(Reward.Format(pattern), new string('a', 5000)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData("a)|(b")]
    [InlineData("(")]
    [InlineData("[")]
    public void Format_InvalidPattern_IsRefused(string pattern) => Assert.ThrowsAny<ArgumentException>(() => Reward.Format(pattern));

    [Theory]
    [InlineData("<think>a</think><answer>b</answer>", 1)]
    [InlineData(" <think>a\nb</think>\n<answer></answer>\n", 1)]
    [InlineData("<think>a</think>x<answer>b</answer>", 0)]
    [InlineData("<think>a</think><answer>b</answer>x", 0)]
    [InlineData("x<think>a</think><answer>b</answer>", 0)]
    [InlineData("<answer>b</answer><think>a</think>", 0)]
    [InlineData("<think>a<answer>b</answer></think>", 0)]
    [InlineData("<think>a</think><answer>b</answer><answer>c</answer>", 0)]
    [InlineData("<think>a<think></think><answer>b</answer>", 0)]
    [InlineData("<think>a</think><answer>b", 0)]
    [InlineData("<think>a</think>", 0)]
    [InlineData("", 0)]
    public async Task TagFormat_OneBlockOfEachInOrder(string text, double expected) =>
        Assert.Equal(expected, await Score(Reward.TagFormat("think", "answer"), text));

    [Fact]
    public void TagFormat_BadTags_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => Reward.TagFormat());
        Assert.Throws<ArgumentException>(() => Reward.TagFormat("a", "a"));
        Assert.Throws<ArgumentException>(() => Reward.TagFormat(" "));
    }

    [Fact]
    public async Task Weighted_HandWorkedSum_CallsEachPartOnce()
    {
        var calls = 0;
        var length = Reward.Of(
            "length",
            completion =>
            {
                calls++;
                return completion.Text.Length;
            }
        );
        var total = Reward.Weighted((1.0, Reward.MathAnswer()), (-0.25, length), (0.5, Reward.Format(@"\d+")));
        var scores = await Scoring.ScoreCheckedAsync(total, [Of("12", "12"), Of("x=12", "12"), Of("7", "12")]);
        // 1 - 0.5 + 0.5; 1 - 1 + 0; 0 - 0.25 + 0.5
        Assert.Equal([1.0, 0.0, 0.25], scores.Values);
        Assert.Equal(["correct", "format", "length"], scores.Components.Keys.Order());
        Assert.Equal([1.0, 1.0, 0.0], scores.Components["correct"]);
        Assert.Equal([2.0, 4.0, 1.0], scores.Components["length"]);
        Assert.Equal([1.0, 0.0, 1.0], scores.Components["format"]);
        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task Weighted_Nested_NamesInnerComponentsUnderTheirSum()
    {
        var inner = Reward.Weighted("shape", (2.0, Reward.Of("a", _ => 3)), (1.0, Reward.Of("b", _ => 4)));
        var scores = await Scoring.ScoreCheckedAsync(Reward.Weighted((0.1, inner), (1.0, Reward.Of("a", _ => 5))), [Of("")]);
        Assert.Equal(6.0, scores.Values[0], 12); // 0.1 * (2*3 + 4) + 5
        Assert.Equal(["a", "shape", "shape/a", "shape/b"], scores.Components.Keys.Order());
        Assert.Equal(3, scores.Components["shape/a"][0]);
        Assert.Equal(5, scores.Components["a"][0]);
    }

    [Fact]
    public void Weighted_BadParts_AreRefused()
    {
        var one = Reward.Of("one", _ => 1);
        Assert.Contains(
            "'one'",
            Assert.Throws<ArgumentException>(() => Reward.Weighted((1, one), (2, Reward.Of("one", _ => 2)))).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "weight NaN",
            Assert.Throws<ArgumentException>(() => Reward.Weighted((double.NaN, one))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => Reward.Weighted((1, null!)));
        Assert.Throws<ArgumentException>(() => Reward.Weighted());
        Assert.Throws<ArgumentException>(() => Reward.Of(" ", _ => 1));
    }
}
