using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

/// <summary>Rewards of length and form at their break points.</summary>
public sealed class ShapeRewardTests
{
    private static Completion Of(string text, int length = 0, string prompt = "?", bool finished = true) =>
        new(new Problem(prompt), text, new int[length], finished);

    private static readonly IReward Right = Reward.Of(
        "right",
        completion =>
            completion.Text switch
            {
                "right" => 1,
                "wrong" => 0,
                _ => double.NaN,
            }
    );

    private static async Task<double[]> Scores(IReward reward, params Completion[] completions) =>
        (await reward.ScoreAsync(completions, RewardContext.None)).Values;

    private static async Task<double> Score(IReward reward, Completion completion) => (await Scores(reward, completion)).Single();

    [Theory]
    [InlineData("<think>a</think><answer>b</answer>", 1)]
    [InlineData("</answer><answer></think><think>", 1)]
    [InlineData("<think>a</think><answer>b", 0.75)]
    [InlineData("<think><think></think><answer>b</answer>", 0.75)]
    [InlineData("", 0)]
    public async Task TagCount_QuarterAMark(string text, double expected) =>
        Assert.Equal(expected, await Score(Reward.TagCount("think", "answer"), Of(text)));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(6, 0)]
    [InlineData(7, -0.25)]
    [InlineData(8, -0.5)]
    [InlineData(10, -1)]
    [InlineData(11, -1)]
    public async Task SoftOverlong_BreakPoints(int length, double expected) =>
        Assert.Equal(expected, await Score(Reward.SoftOverlong(10, 4), Of("", length)));

    [Theory]
    [InlineData("right", 0, 1)]
    [InlineData("right", 500, 0.75)]
    [InlineData("right", 1000, 0.5)]
    [InlineData("right", 2000, 0.5)] // without the cut it were 1 again
    [InlineData("wrong", 0, -1)]
    [InlineData("wrong", 500, -0.75)]
    [InlineData("wrong", 1500, -0.5)]
    [InlineData("unknown", 5, double.NaN)]
    public async Task CosineLength_BreakPoints(string text, int length, double expected) =>
        Assert.Equal(expected, await Score(Reward.CosineLength(Right), Of(text, length)), 12);

    [Fact]
    public async Task CosineLength_IsMonotone()
    {
        var lengths = Enumerable.Range(0, 1200).ToArray();
        var right = await Scores(Reward.CosineLength(Right), [.. lengths.Select(length => Of("right", length))]);
        var wrong = await Scores(Reward.CosineLength(Right), [.. lengths.Select(length => Of("wrong", length))]);
        Assert.All(lengths.Skip(1), i => Assert.True(right[i] <= right[i - 1] && wrong[i] >= wrong[i - 1]));
    }

    [Fact]
    public async Task ShorterIsBetter_ComparesWithinTheGroup()
    {
        var scores = await Scores(
            Reward.ShorterIsBetter(Right),
            Of("right", 10),
            Of("right", 20),
            Of("right", 30),
            Of("wrong", 10),
            Of("wrong", 30),
            Of("unknown", 99),
            Of("right", 7, "other"),
            Of("wrong", 7, "other"),
            Of("unknown", 7, "third")
        );
        Assert.Equal([0.5, 0, -0.5, 0, -0.5, double.NaN, 0, 0, double.NaN], scores);
    }

    [Theory]
    [InlineData(1, -0.6)] // 2 of 5 are distinct
    [InlineData(2, -0.5)] // 12 21 12 21
    [InlineData(3, -1.0 / 3)] // 121 212 121
    [InlineData(5, 0)]
    [InlineData(6, 0)]
    public async Task Repetition_HandCounted(int size, double expected)
    {
        Assert.Equal(expected, await Score(Reward.Repetition(size), new Completion(new Problem("?"), "", [1, 2, 1, 2, 1], true)), 15);
        Assert.Equal(2 * expected, await Score(Reward.WordRepetition(size, 2), Of("a b A  B\na")), 15);
    }

    [Fact]
    public async Task Repetition_EqualsTheCountOfDistinctTexts()
    {
        var random = new Random(5);
        for (var trial = 0; trial < 50; trial++)
        {
            var tokens = Enumerable.Range(0, random.Next(3, 60)).Select(_ => random.Next(3)).ToArray();
            var grams = Enumerable.Range(0, tokens.Length - 2).Select(i => string.Join(',', tokens[i..(i + 3)])).ToArray();
            Assert.Equal(
                grams.Distinct().Count() / (double)grams.Length - 1,
                await Score(Reward.Repetition(), new Completion(new Problem("?"), "", tokens, true)),
                12
            );
        }
    }

    [Theory]
    [InlineData("Step 1: a\nStep 2: b", 2.0 / 3)]
    [InlineData("1. a\n2. b\n- c\n* d", 1)]
    [InlineData("First, a. Finally, b.", 2.0 / 3)]
    [InlineData("3.5 apples", 0.3333333333333333)] // "3." at the beginning looks like a step
    [InlineData("nothing", 0)]
    public async Task StepMarkers_OneThirdEach(string text, double expected) =>
        Assert.Equal(expected, await Score(Reward.StepMarkers(), Of(text)), 12);

    [Theory]
    [InlineData("Hello мир", WritingScripts.Latin, 5.0 / 8)]
    [InlineData("Hello мир", WritingScripts.Cyrillic, 3.0 / 8)]
    [InlineData("日本語のテキスト abc", WritingScripts.Japanese, 8.0 / 11)]
    [InlineData("naïve café œuvre", WritingScripts.Latin, 1)]
    [InlineData("1 + 1 = 2", WritingScripts.Latin, 1)]
    [InlineData("\ud800", WritingScripts.Latin, 1)]
    public async Task LanguageConsistency_ShareOfLetters(string text, WritingScripts scripts, double expected) =>
        Assert.Equal(expected, await Score(Reward.LanguageConsistency(scripts), Of(text)), 12);

    [Fact]
    public async Task Finished_LooksAtTheFlag() =>
        Assert.Equal([1, 0], (IEnumerable<double>)await Scores(Reward.Finished(), Of("a"), Of("a", finished: false)));

    [Fact]
    public void BadArguments_AreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.SoftOverlong(10, 11));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.Repetition(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.LanguageConsistency(WritingScripts.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => Reward.CosineLength(Right, new CosineLengthOptions { MaximumLength = 0 }));
        Assert.Throws<ArgumentException>(() => Reward.TagCount());
    }
}
