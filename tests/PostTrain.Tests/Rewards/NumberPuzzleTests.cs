using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Tests.Rewards;

public sealed class NumberPuzzleTests
{
    private static readonly NumberPuzzle Puzzle = new([3, 5, 7, 50], 95);

    [Theory]
    [InlineData("50 + 5*(7+3) - 5", PuzzleVerdict.WrongNumbers)]
    [InlineData("(50 - 5) * 7 / 3", PuzzleVerdict.WrongValue)]
    [InlineData("50*(7-5) - 3", PuzzleVerdict.WrongValue)] // 97
    [InlineData("50 + 3*(5+7)", PuzzleVerdict.WrongValue)] // 86
    [InlineData("50 + 5*7 + 3", PuzzleVerdict.WrongValue)] // 88
    [InlineData("3*50 - 5*7", PuzzleVerdict.WrongValue)] // 115
    [InlineData("50 + 5 + 7", PuzzleVerdict.WrongNumbers)] // 3 is not used
    [InlineData("95", PuzzleVerdict.WrongNumbers)]
    [InlineData("3/(5-5)", PuzzleVerdict.WrongNumbers)]
    [InlineData("", PuzzleVerdict.Malformed)]
    [InlineData("50 +", PuzzleVerdict.Malformed)]
    [InlineData("(50", PuzzleVerdict.Malformed)]
    [InlineData("50)", PuzzleVerdict.Malformed)]
    [InlineData("3 5 7 50", PuzzleVerdict.Malformed)]
    [InlineData("9**9**9**9", PuzzleVerdict.Malformed)]
    [InlineData("7//2", PuzzleVerdict.Malformed)]
    [InlineData("5*-3", PuzzleVerdict.Malformed)]
    [InlineData("-3+5", PuzzleVerdict.Malformed)]
    [InlineData("3^5", PuzzleVerdict.Malformed)]
    [InlineData("5e7", PuzzleVerdict.Malformed)]
    [InlineData("3.0", PuzzleVerdict.Malformed)]
    [InlineData("0x5", PuzzleVerdict.Malformed)]
    [InlineData("5_0", PuzzleVerdict.Malformed)]
    [InlineData("__import__('os')", PuzzleVerdict.Malformed)]
    [InlineData("99999999999999999999", PuzzleVerdict.Malformed)]
    [InlineData("50%7", PuzzleVerdict.Malformed)]
    [InlineData("٣+5", PuzzleVerdict.Malformed)]
    public void Judge_RefusesAllButTheSolution(string expression, PuzzleVerdict expected) =>
        Assert.Equal(expected, Puzzle.Judge(expression));

    [Theory]
    [InlineData("(25 - 5) * 4", PuzzleVerdict.Solved)]
    [InlineData(" ( 25-5 )*4 ", PuzzleVerdict.Solved)]
    [InlineData("4 × (25 − 5)", PuzzleVerdict.Solved)]
    [InlineData("(25-5)*4 = 80", PuzzleVerdict.Solved)]
    [InlineData("(25-5)*4 = 81", PuzzleVerdict.WrongValue)]
    [InlineData("(25-5)*4 = 80 = 80", PuzzleVerdict.Malformed)]
    [InlineData("(25-5)*4 = x", PuzzleVerdict.Malformed)]
    [InlineData("25-5*4", PuzzleVerdict.WrongValue)]
    public void Judge_Solution(string expression, PuzzleVerdict expected) =>
        Assert.Equal(expected, new NumberPuzzle([25, 5, 4], 80).Judge(expression));

    [Fact]
    public void Judge_FractionsAreExact_DivisionByZeroIsNoValue_NumbersMayBeLeftOut()
    {
        Assert.Equal(PuzzleVerdict.Solved, new NumberPuzzle([8, 3, 8, 3], 24).Judge("8/(3-8/3)"));
        Assert.Equal(PuzzleVerdict.WrongValue, new NumberPuzzle([3, 5, 5], 0).Judge("3/(5-5)"));
        Assert.Equal(PuzzleVerdict.Solved, new NumberPuzzle([3, 5, 5], 10, UseAll: false).Judge("5+5"));
        Assert.Equal(PuzzleVerdict.WrongNumbers, new NumberPuzzle([3, 5], 10, UseAll: false).Judge("5+5"));
    }

    [Fact]
    public void Judge_HostileTexts_AreBoundedAndNeverThrow()
    {
        var random = new Random(2);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < 10_000; i++)
            Puzzle.Judge(
                string.Concat(
                    random.GetItems<string>(
                        ["3", "5", "7", "50", "+", "-", "*", "/", "(", ")", " ", "=", "**", "9", ".", "\ud800"],
                        random.Next(60)
                    )
                )
            );
        Puzzle.Judge(new string('(', 100_000));
        Puzzle.Judge(new string('(', 500));
        Puzzle.Judge(string.Concat(Enumerable.Repeat("999999999*", 51)) + "1");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    [Fact]
    public async Task Expression_IsAReward()
    {
        var reward = Reward.Expression(
            problem => new NumberPuzzle([25, 5, 4], long.Parse(problem.Answer!, System.Globalization.CultureInfo.InvariantCulture)),
            wellFormed: 0.1
        );
        Completion Of(string text) => new(new Problem("reach 80 with 25, 5, 4", "80"), text, [], true);
        var scores = await Scoring.ScoreCheckedAsync(
            reward,
            [Of("<answer>(25-5)*4</answer>"), Of("<answer>25-5*4</answer>"), Of("<answer>80</answer>"), Of("(25-5)*4")]
        );
        Assert.Equal([1, 0.1, 0, 0], scores.Values);
    }
}
