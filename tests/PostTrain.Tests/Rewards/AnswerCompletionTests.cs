using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Rewards;
using Xunit.Abstractions;

namespace PostTrain.Tests.Rewards;

/// <summary>A table of completions and references with the verdict that a reader would give, by kind.</summary>
public sealed class AnswerCompletionTests(ITestOutputHelper output)
{
    internal sealed record Row(string Family, string Text, string Reference, bool Right);

    private static readonly IReadOnlyList<Row> Rows = JsonLines.Read<Row>(Find());

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "tests", "PostTrain.Tests", "Rewards", "completions.jsonl");
            if (File.Exists(candidate))
                return candidate;
        }

        throw new FileNotFoundException($"there is no tests/PostTrain.Tests/Rewards/completions.jsonl above {AppContext.BaseDirectory}");
    }

    public static TheoryData<string> Families => [.. Rows.Select(row => row.Family).Distinct()];

    [Theory]
    [MemberData(nameof(Families))]
    public async Task EveryRow_HasItsVerdict(string family)
    {
        var rows = Rows.Where(row => row.Family == family).ToArray();
        var scores = (
            await Reward.MathAnswer().ScoreAsync([.. rows.Select(row => Answer(row.Text, row.Reference))], RewardContext.None)
        ).Values;
        var wrong = rows.Where((row, index) => scores[index] != (row.Right ? 1 : 0)).ToArray();
        output.WriteLine($"{family}: {rows.Count(row => row.Right)} right, {rows.Count(row => !row.Right)} wrong");
        Assert.True(
            wrong.Length == 0,
            string.Join(
                '\n',
                wrong.Select(row =>
                    $"{row.Text} for {row.Reference} is {(row.Right ? "right" : "wrong")}; found "
                    + $"{AnswerExtraction.Extract(row.Text) ?? "nothing"}"
                )
            )
        );
    }

    [Fact]
    public void TheTable_HasRightAndWrongRowsOfEveryFamily()
    {
        Assert.True(Rows.Count >= 280, $"{Rows.Count} rows");
        Assert.All(
            Rows.GroupBy(row => row.Family),
            family => Assert.True(family.Any(row => row.Right) && family.Any(row => !row.Right), family.Key)
        );
    }

    // The same answer in the places that mark one.
    [Theory]
    [InlineData("\\theta = 30", "30")]
    [InlineData("AB = 5", "5")]
    [InlineData("x = 2+3 = 5", "5")]
    [InlineData("25^\\circ\\text{C}", "25")]
    [InlineData("5 \\text{ apples}", "5")]
    [InlineData("0.\\bar{3}", "1/3")]
    [InlineData("32,\\! 349", "32349")]
    [InlineData("\\frac{1}{3}", "1/3")]
    [InlineData("-2 < x \\le 5", "(-2,5]")]
    public async Task TheSameAnswer_IsRightInEveryPlace(string answer, string reference)
    {
        string[] texts =
        [
            $"so \\boxed{{{answer}}}.",
            $"so $\\boxed{{{answer}}}$",
            $"\\fbox{{{answer}}}",
            $"#### {answer}",
            $"<answer>{answer}</answer>",
            $"<answer>${answer}$</answer>",
            $"The answer is ${answer}$.",
            $"The final answer is: \\({answer}\\). I hope it is correct.",
            $"Hence we find ${answer}$, and are done.",
            $"Hence\n\\[ {answer} \\]",
            $"${answer}$",
        ];
        var scores = (await Reward.MathAnswer().ScoreAsync([.. texts.Select(text => Answer(text, reference))], RewardContext.None)).Values;
        Assert.All(
            scores.Zip(texts),
            pair => Assert.True(pair.First == 1, $"{pair.Second}: found {AnswerExtraction.Extract(pair.Second)}")
        );
    }

    [Fact]
    public void ACheck_TakesNoMoreThanAMillisecond()
    {
        foreach (var row in Rows)
            AnswerEquivalence.AreEquivalent(AnswerExtraction.Extract(row.Text) ?? "", row.Reference);
        var watch = Stopwatch.StartNew();
        for (var round = 0; round < 3; round++)
        {
            foreach (var row in Rows)
                AnswerEquivalence.AreEquivalent(AnswerExtraction.Extract(row.Text) ?? "", row.Reference);
        }

        var each = watch.Elapsed.TotalMilliseconds / (3 * Rows.Count);
        output.WriteLine($"{each * 1000:F0} µs each");
        Assert.True(each < 1, $"{each:F3} ms each");
    }

    private static Completion Answer(string text, string reference) => new(new Problem("?", reference), text, [1], Finished: true);
}
