using PostTrain.Data;
using PostTrain.Search;

namespace PostTrain.Tests.Search;

/// <summary>The choice of method and width by difficulty.</summary>
public sealed class ComputeTableTests
{
    // Easy problems: both methods are right; hard ones: only the dear one.
    private static readonly SearchTrial[] Trials =
    [
        .. Enumerable.Range(0, 20).Select(i => new SearchTrial("one", 0.1, i < 19, 10)),
        .. Enumerable.Range(0, 20).Select(i => new SearchTrial("many", 0.1, i < 19, 80)),
        .. Enumerable.Range(0, 20).Select(i => new SearchTrial("one", 0.8, i < 2, 10)),
        .. Enumerable.Range(0, 20).Select(i => new SearchTrial("many", 0.8, i < 12, 120)),
    ];

    [Fact]
    public void Choice_IsTheBestWithinTheBudget_TheCheaperAmongEquals()
    {
        var table = ComputeTable.Fit(Trials, levels: 2);
        Assert.Equal([0.1], table.Bounds);
        Assert.Equal((0, 0, 1, 1), (table.Level(0), table.Level(0.1), table.Level(0.2), table.Level(2)));
        Assert.Equal("one", table.Choose(0.05).Method);
        Assert.Equal("many", table.Choose(0.5).Method);
        Assert.Equal("one", table.Choose(0.5, budget: 100).Method);
        // Nothing is within it: the cheapest.
        Assert.Equal("one", table.Choose(0.5, budget: 1).Method);
        var cell = table.Choose(0.9);
        Assert.Equal((12, 20, 120.0, 1), (cell.Right.Successes, cell.Right.Trials, cell.Tokens, cell.Level));
        Assert.InRange(0.6, cell.Right.Interval().Lower, cell.Right.Interval().Upper);
        Assert.Equal(["one", "many", "one", "many"], table.Cells.Select(one => one.Method));
    }

    [Fact]
    public void Levels_HoldAsManyTrials_AndFewerWhereDifficultiesAreEqual()
    {
        SearchTrial[] trials = [.. Enumerable.Range(0, 100).Select(i => new SearchTrial("one", i, true, 1))];
        var table = ComputeTable.Fit(trials, levels: 5);
        Assert.Equal([19, 39, 59, 79], table.Bounds);
        Assert.All(table.Cells, cell => Assert.Equal(20, cell.Right.Trials));
        Assert.Single(ComputeTable.Fit([.. trials.Select(trial => trial with { Difficulty = 3 })]).Cells);
    }

    [Fact]
    public async Task Method_RunsWhatTheTableChooses()
    {
        var table = ComputeTable.Fit(Trials, levels: 2);
        var methods = new Dictionary<string, ISearchMethod> { ["one"] = Named("one"), ["many"] = Named("many") };
        var method = table.Method(methods, problem => double.Parse(problem.Prompt, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal("one", (await method.RunAsync(new Problem("0.1"), 1)).Best.Solution.Text);
        Assert.Equal("many", (await method.RunAsync(new Problem("0.7"), 1)).Best.Solution.Text);
        methods.Remove("many");
        var error = Assert.Throws<ArgumentException>(() => table.Method(methods, _ => 0));
        Assert.Contains("has no 'many'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BadInput_IsNamed()
    {
        Assert.Contains("0 trials", Assert.Throws<ArgumentException>(() => ComputeTable.Fit([])).Message, StringComparison.Ordinal);
        Assert.Contains(
            "finite difficulty",
            Assert.Throws<ArgumentException>(() => ComputeTable.Fit([new SearchTrial("one", double.NaN, true, 1)])).Message,
            StringComparison.Ordinal
        );
        var table = ComputeTable.Fit(Trials);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Choose(double.NaN));
        Assert.Contains(
            "budget must be above 0",
            Assert.Throws<ArgumentOutOfRangeException>(() => table.Choose(0, budget: 0)).Message,
            StringComparison.Ordinal
        );
    }

    private static ISearchMethod Named(string name) =>
        SearchMethod.BestOfN(
            StepGenerator.Table(_ => [(new SearchStep(name, StepEnd.Finished), 1)]),
            null,
            new BestOfNOptions { Samples = 1 }
        );
}
