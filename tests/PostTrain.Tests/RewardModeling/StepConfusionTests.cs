using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Losses;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.RewardModeling;

public sealed class StepConfusionTests
{
    [Fact]
    public void Measures_AreTheHandWorkedOnes()
    {
        using var scope = NewDisposeScope();
        // Right steps judged right: 3; wrong as right: 1; wrong as wrong: 2; right as wrong: 1. The NaN and the 7 stand where no step is; ½
        // is not above ½.
        var probabilities = tensor(
            new[,]
            {
                { 0.9, 0.8, 0.2, 0.5 },
                { 0.7, 0.4, 0.6, double.NaN },
            }
        );
        var labels = tensor(
            new double[,]
            {
                { 1, 0, 0, 1 },
                { 1, 0, 1, 7 },
            }
        );
        var confusion = StepConfusion.Of(probabilities, labels, Numbers.Mask(4, 4, 3));
        Assert.Equal(new StepConfusion(3, 1, 2, 1), confusion);
        Assert.Equal((0.75, 0.75, 0.75), (confusion.Precision, confusion.Recall, confusion.F1));
        Assert.Equal((2.0 / 3, 2.0 / 3, 2.0 / 3), (confusion.NegativePrecision, confusion.NegativeRecall, confusion.NegativeF1));
        Assert.Equal(17.0 / 24, confusion.PrmScore(), 1e-15);
        Assert.Equal(0.25 * 2 / 3 + 0.75 * 0.75, confusion.PrmScore(0.25), 1e-15);
        Assert.Equal(new StepConfusion(2, 1, 2, 2), StepConfusion.Of(probabilities, labels, Numbers.Mask(4, 4, 3), threshold: 0.65));
        Assert.Equal(confusion, StepConfusion.Of(probabilities, labels != 0, Numbers.Mask(4, 4, 3)));

        var parts = StepConfusion.ByCategory(probabilities, labels, Numbers.Mask(4, 4, 3), ["a", "b"]);
        Assert.Equal(new StepConfusion(1, 1, 1, 1), parts["a"]);
        Assert.Equal(confusion, parts["a"] + parts["b"]);
    }

    [Fact]
    public void JudgeThatLikesEverything_HasNothingOnWrongSteps()
    {
        using var scope = NewDisposeScope();
        var mask = ones(1, 4);
        var confusion = StepConfusion.Of(
            ones(1, 4) * 0.9,
            tensor(
                new float[,]
                {
                    { 1, 1, 1, 0 },
                }
            ),
            mask
        );
        Assert.Equal((0.75, 1, 6.0 / 7), (confusion.Precision, confusion.Recall, confusion.F1));
        Assert.Equal(
            (double.NaN, 0, 0, 3.0 / 7),
            (confusion.NegativePrecision, confusion.NegativeRecall, confusion.NegativeF1, confusion.PrmScore())
        );
        // No wrong step anywhere: there is nothing to find, and that is said.
        confusion = StepConfusion.Of(ones(1, 4) * 0.9, mask, mask);
        Assert.Equal((1, double.NaN, double.NaN), (confusion.F1, confusion.NegativeF1, confusion.PrmScore()));
        confusion = StepConfusion.Of(ones(1, 4) * 0.9, mask, zeros(1, 4));
        Assert.Equal((double.NaN, double.NaN, double.NaN), (confusion.F1, confusion.NegativeF1, confusion.PrmScore()));
    }

    [Fact]
    public void Of_NamesWhatIsWrong()
    {
        using var scope = NewDisposeScope();
        var (ok, mask) = (ones(2, 2) * 0.5, ones(2, 2));
        Assert.Equal("labels", Assert.Throws<ArgumentException>(() => StepConfusion.Of(ok, ones(2, 2) * 0.5, mask)).ParamName);
        Assert.Equal("labels", Assert.Throws<ArgumentException>(() => StepConfusion.Of(ok, ones(2, 3), mask)).ParamName);
        Assert.Equal(
            "probabilities",
            Assert.Throws<ArgumentException>(() => StepConfusion.Of(ok.masked_fill(mask != 0, double.NaN), mask, mask)).ParamName
        );
        Assert.Equal("probabilities", Assert.Throws<ArgumentOutOfRangeException>(() => StepConfusion.Of(ok * 3, mask, mask)).ParamName);
        Assert.Equal("categories", Assert.Throws<ArgumentException>(() => StepConfusion.ByCategory(ok, mask, mask, ["one"])).ParamName);
    }

    /// <summary>
    /// PRMBench in miniature: column sums "left+right+carry=total", spoilt in five of its nine ways, under three judges. What a judge does
    /// not look at is a category of its own in the report: one that works out each line by itself finds false facts and nothing else; one
    /// that follows the carries finds contradictions too; one that also compares with the question finds all.
    /// </summary>
    [Fact]
    public void ToyBench_TellsJudgesApartByCategory()
    {
        using var scope = NewDisposeScope();
        var cases = Derivations().ToArray();
        int most = cases.Max(one => one.Steps.Length);
        IReadOnlyDictionary<string, StepConfusion> Bench(Func<Derivation, int, bool> judge) =>
            StepConfusion.ByCategory(
                Table(cases, most, (one, step) => judge(one, step) ? 0.9 : 0.1),
                Table(cases, most, (one, step) => one.Right[step] ? 1 : 0),
                Table(cases, most, (_, _) => 1),
                [.. cases.Select(one => one.Category)]
            );

        var careless = Bench((_, _) => true);
        var local = Bench(Adds);
        var following = Bench((one, step) => Adds(one, step) && Carries(one, step));
        var careful = Bench((one, step) => Adds(one, step) && Carries(one, step) && Asked(one, step) && !Repeats(one, step));
        string[] spoilt = ["empirical soundness", "step consistency", "deception resistance", "redundancy", "prerequisite sensitivity"];
        Assert.Equal(spoilt.Append("right").Order(), local.Keys.Order());
        Assert.All(spoilt, category => Assert.Equal(0, careless[category].NegativeF1));
        Assert.All(spoilt, category => Assert.Equal(1, careful[category].PrmScore()));
        Assert.Equal(["empirical soundness"], spoilt.Where(category => local[category].NegativeF1 == 1));
        Assert.All(spoilt[1..], category => Assert.Equal(0, local[category].NegativeF1));
        Assert.Equal(
            ["empirical soundness", "step consistency", "prerequisite sensitivity"],
            spoilt.Where(category => following[category].NegativeF1 == 1)
        );
        // Solutions without a fault have nothing to be found.
        Assert.Equal((1, double.NaN), (careful["right"].F1, careful["right"].NegativeF1));
        double Score(IReadOnlyDictionary<string, StepConfusion> bench) =>
            spoilt.Select(category => bench[category]).Aggregate((a, b) => a + b).PrmScore();
        Assert.True(Score(careless) < Score(local) && Score(local) < Score(following) && Score(following) < Score(careful));
        Assert.Equal(1, Score(careful));
    }

    private sealed record Column(int Left, int Right, int Carry, int Total);

    private sealed record Derivation(string Category, int A, int B, Column[] Steps, bool[] Right);

    private static Tensor Table(Derivation[] cases, int most, Func<Derivation, int, double> value)
    {
        var table = new double[cases.Length, most];
        for (int row = 0; row < cases.Length; row++)
        for (int step = 0; step < cases[row].Steps.Length; step++)
            table[row, step] = value(cases[row], step);
        return tensor(table);
    }

    private static bool Adds(Derivation one, int step) => one.Steps[step] is var s && s.Left + s.Right + s.Carry == s.Total;

    // The carry is what the line before left; a line that is said again has its own.
    private static bool Carries(Derivation one, int step) =>
        Repeats(one, step) || one.Steps[step].Carry == (step == 0 ? 0 : one.Steps[step - 1].Total / 10);

    private static bool Asked(Derivation one, int step) =>
        Digits(one.A, one.B).Any(pair => pair == (one.Steps[step].Left, one.Steps[step].Right));

    private static bool Repeats(Derivation one, int step) => step > 0 && one.Steps[step] == one.Steps[step - 1];

    private static (int, int)[] Digits(int a, int b) => [(a % 10, b % 10), (a / 10 % 10, b / 10 % 10), (a / 100, b / 100)];

    private static IEnumerable<Derivation> Derivations()
    {
        // Digits that all differ by column, with a carry out of the first and the second.
        foreach (var (a, b) in new[] { (347, 285), (268, 174), (459, 363) })
        {
            var steps = new List<Column>();
            int carry = 0;
            foreach (var (left, right) in Digits(a, b))
            {
                steps.Add(new Column(left, right, carry, left + right + carry));
                carry = steps[^1].Total / 10;
            }
            var (one, two, three) = (steps[0], steps[1], steps[2]);
            yield return new("right", a, b, [one, two, three], [true, true, true]);
            // A false sum whose carry is the right one, so that what follows is right.
            yield return new(
                "empirical soundness",
                a,
                b,
                [one with { Total = one.Total + (one.Total % 10 == 9 ? -1 : 1) }, two, three],
                [false, true, true]
            );
            yield return new(
                "step consistency",
                a,
                b,
                [
                    one,
                    two with
                    {
                        Carry = 0,
                        Total = two.Total - 1,
                    },
                    three with
                    {
                        Carry = (two.Total - 1) / 10,
                        Total = three.Total - 1 + (two.Total - 1) / 10,
                    },
                ],
                [true, false, true]
            );
            // Digits that nobody asked for, added up without a fault, with the carry as it was.
            yield return new(
                "deception resistance",
                a,
                b,
                [one, two with { Left = two.Left - 1, Right = two.Right + 1 }, three],
                [true, false, true]
            );
            yield return new("redundancy", a, b, [one, one, two, three], [true, false, true, true]);
            // The line that the carry comes from is missing.
            yield return new("prerequisite sensitivity", a, b, [two, three], [false, true]);
        }
    }
}
