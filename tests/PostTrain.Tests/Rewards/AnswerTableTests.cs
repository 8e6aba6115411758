using System.Diagnostics;
using System.Globalization;
using PostTrain.Data;
using PostTrain.Rewards;
using Xunit.Abstractions;

namespace PostTrain.Tests.Rewards;

/// <summary>A table of pairs that a mathematician would call equal or different, by family, and what the table's texts give when they are
/// broken.</summary>
public sealed class AnswerTableTests(ITestOutputHelper output)
{
    internal sealed record Pair(string Family, string Left, string Right, bool Equal);

    private static readonly IReadOnlyList<Pair> Pairs = JsonLines.Read<Pair>(Find());

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, "tests", "PostTrain.Tests", "Rewards", "answers.jsonl");
            if (File.Exists(candidate))
                return candidate;
        }

        throw new FileNotFoundException($"there is no tests/PostTrain.Tests/Rewards/answers.jsonl above {AppContext.BaseDirectory}");
    }

    [Fact]
    public void EveryPair_HasItsVerdict_BothWays()
    {
        var wrong = new List<string>();
        foreach (var pair in Pairs)
        {
            var (forth, back) = (
                AnswerEquivalence.AreEquivalent(pair.Left, pair.Right),
                AnswerEquivalence.AreEquivalent(pair.Right, pair.Left)
            );
            if (forth != pair.Equal || back != pair.Equal)
                wrong.Add($"{pair.Family}: {pair.Left} and {pair.Right} are {(pair.Equal ? "equal" : "different")}");
            if (!AnswerEquivalence.AreEquivalent(pair.Left, pair.Left) || !AnswerEquivalence.AreEquivalent(pair.Right, pair.Right))
                wrong.Add($"{pair.Left} or {pair.Right} is not itself");
        }

        foreach (var family in Pairs.GroupBy(pair => pair.Family))
            output.WriteLine($"{family.Key}: {family.Count(pair => pair.Equal)} equal, {family.Count(pair => !pair.Equal)} different");
        output.WriteLine($"answers {Pairs.Count - wrong.Count}/{Pairs.Count}");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(Pairs.Count >= 300, $"{Pairs.Count} pairs");
    }

    [Fact]
    public void AllTextsOfTheTable_AreComparedSymmetrically()
    {
        var texts = Pairs.SelectMany(pair => new[] { pair.Left, pair.Right }).Distinct().ToArray();
        var random = new Random(3);
        for (var i = 0; i < 20_000; i++)
        {
            var (left, right) = (texts[random.Next(texts.Length)], texts[random.Next(texts.Length)]);
            Assert.True(
                AnswerEquivalence.AreEquivalent(left, right) == AnswerEquivalence.AreEquivalent(right, left),
                $"{left} and {right}"
            );
        }
    }

    [Fact]
    public void MutatedTexts_NeverThrow_AreReflexiveAndSymmetric_AndQuick()
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("POSTTRAIN_FUZZ") ?? "1000", CultureInfo.InvariantCulture);
        string[] pieces =
        [
            "\\frac{",
            "}{",
            "}",
            "{",
            "(",
            ")",
            "[",
            "]",
            "\\{",
            "\\}",
            "^",
            "^{",
            "9",
            "99",
            ".",
            ",",
            "/",
            "*",
            "+",
            "-",
            "\\sqrt{",
            "\\sqrt[",
            "\\pm",
            "\\pi",
            "x",
            "e9",
            "%",
            "!",
            " ",
            "\\",
            "$",
            "\\begin{pmatrix}",
            "\\end{pmatrix}",
            "&",
            "\\\\",
            "\\infty",
            "\\cup",
            " or ",
            "=",
            "\\text{",
            " cm",
            "\ud800",
            "\\overline{",
            "\\ln",
            "°",
        ];
        var random = new Random(11);
        var slowest = TimeSpan.Zero;
        string slowestText = "",
            previous = "1";
        for (var i = 0; i < count; i++)
        {
            var text = i % 2 == 0 ? Pairs[random.Next(Pairs.Count)].Left : "";
            for (var changes = random.Next(1, i % 2 == 0 ? 6 : 60); changes > 0; changes--)
                text = text.Insert(random.Next(text.Length + 1), pieces[random.Next(pieces.Length)]);
            var watch = Stopwatch.StartNew();
            Assert.True(AnswerEquivalence.AreEquivalent(text, text));
            Assert.True(AnswerEquivalence.AreEquivalent(text, text + " "), text);
            Assert.True(
                AnswerEquivalence.AreEquivalent(text, previous) == AnswerEquivalence.AreEquivalent(previous, text),
                $"{text} and {previous}"
            );
            AnswerExtraction.Extract(text);
            AnswerExtraction.Extract($"\\boxed{{{text}}} the answer is {text}");
            if (watch.Elapsed > slowest)
                (slowest, slowestText) = (watch.Elapsed, text);
            previous = text;
        }

        output.WriteLine($"{count} texts, the slowest took {slowest.TotalMilliseconds:F1} ms: {slowestText}");
        Assert.True(slowest < TimeSpan.FromSeconds(2), $"{slowest} for {slowestText}");
    }

    [Theory]
    [InlineData("9^9^9^9")]
    [InlineData("9^{9^{9^{9}}}")]
    [InlineData("(((9^999)^999)^999)^999")]
    [InlineData("(x+y+z+a+b+c)^{9999}")]
    [InlineData("99999999999!")]
    [InlineData("2^{99999999999999999999}")]
    [InlineData("(\\sin x+\\sin y+\\sin z)^{99}")]
    [InlineData("\\sin^{9999} x")]
    [InlineData("\\log_2 {9^{999}}+1")]
    [InlineData("0.\\overline{99999999999999999999999999999999999999999999999999}1")]
    [InlineData("1e999999999")]
    [InlineData("\\sqrt{999999999999999999999999999999999999}")]
    [InlineData("\\sqrt{9999999967}\\sqrt{9999999943}\\sqrt{9999999929}\\sqrt{9999999881}")]
    public void BlowUps_AreBounded(string text)
    {
        var watch = Stopwatch.StartNew();
        Assert.True(AnswerEquivalence.AreEquivalent(text, text));
        Assert.False(AnswerEquivalence.AreEquivalent(text, "7"));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"took {watch.Elapsed}");
    }

    [Theory]
    [InlineData("(")]
    [InlineData("{")]
    [InlineData("\\frac{")]
    [InlineData("\\sqrt{")]
    [InlineData("((1,2),")]
    [InlineData("1^")]
    [InlineData("1+")]
    [InlineData("1,")]
    [InlineData("x")]
    [InlineData("(x+1)")]
    [InlineData("\\text{")]
    [InlineData("1 cm ")]
    [InlineData("x=")]
    [InlineData("x<")]
    [InlineData("1<")]
    [InlineData("|")]
    [InlineData("|x")]
    [InlineData("1:")]
    [InlineData("x_{")]
    [InlineData("x_1")]
    [InlineData("\\text{a }")]
    [InlineData("{ , }")]
    [InlineData("\\log_")]
    [InlineData("\\sin^2 ")]
    [InlineData("\\begin{array}{c}")]
    [InlineData("0.\\dot{")]
    [InlineData("\\\\frac")]
    public void LongNesting_IsBounded(string unit)
    {
        foreach (var length in (int[])[60, 4000, 200_000])
        {
            var text = string.Concat(Enumerable.Repeat(unit, length / unit.Length + 1)) + "1";
            var watch = Stopwatch.StartNew();
            Assert.True(AnswerEquivalence.AreEquivalent(text, text + " "));
            Assert.False(AnswerEquivalence.AreEquivalent(text + "+3", "2"));
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(3), $"took {watch.Elapsed}");
        }
    }

    [Theory]
    [InlineData("48+24", "72", false)] // the question itself
    [InlineData("72", "72", true)]
    [InlineData("72.0", "72", true)]
    [InlineData("2^{10}", "1024", false)]
    [InlineData("1024", "2^{10}", true)]
    [InlineData("2^{10}", "4^5", true)] // the reference is a computation itself
    [InlineData("6/3", "2", false)]
    [InlineData("2/4", "1/2", true)]
    [InlineData("3\\times10^5", "300000", true)]
    [InlineData("30\\times 2", "60", false)]
    [InlineData("\\sqrt{16}", "4", false)]
    [InlineData("\\sqrt{8}", "2\\sqrt{2}", true)]
    [InlineData("5!", "120", false)]
    [InlineData("1 1/2", "1.5", true)]
    [InlineData("1\\frac{1}{2}", "1.5", true)]
    [InlineData("(x+1)^2", "x^2+2x+1", false)]
    [InlineData("50%", "0.5", true)]
    [InlineData("(1+1,3)", "(2,3)", false)]
    [InlineData("48+24 cm", "72 cm", false)]
    [InlineData("x = 48+24 = 72", "72", true)]
    [InlineData("x = 48+24", "72", false)]
    [InlineData("72 = 48+24", "72", false)]
    [InlineData("2x = 6", "x = 3", false)]
    [InlineData("\\log_2 8", "3", false)]
    public void IsAnswer_RefusesComputations(string answer, string reference, bool expected) =>
        Assert.Equal(expected, AnswerEquivalence.IsAnswer(answer, reference));
}
