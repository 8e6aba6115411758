using PostTrain.Search;

namespace PostTrain.Tests.Search;

/// <summary>Tree of thoughts on a tree that can be drawn: binary, of depth 3, with one good leaf behind a step that looks bad.</summary>
public sealed class ThoughtTests
{
    // The value of a state is that of its text; the best leaf, bab, is behind b, which looks worse than a.
    private static readonly Dictionary<string, double> Values = new()
    {
        ["a"] = 0.6,
        ["b"] = 0.4,
        ["aa"] = 0.5,
        ["ab"] = 0.3,
        ["ba"] = 0.7,
        ["bb"] = 0.1,
        ["aaa"] = 0.2,
        ["aab"] = 0.25,
        ["aba"] = 0.1,
        ["abb"] = 0.1,
        ["baa"] = 0.3,
        ["bab"] = 0.9,
        ["bba"] = 0,
        ["bbb"] = 0,
    };

    private static readonly IStepGenerator Steps = StepGenerator.Table(
        solution =>
        {
            var end = solution.StepCount == 2 ? StepEnd.Finished : StepEnd.Open;
            return [(new SearchStep("a", end), 0.5), (new SearchStep("b", end), 0.5)];
        },
        lists: true
    );

    private static readonly TreeOfThoughtsOptions Options = new() { Thoughts = 2, Breadth = 2 };

    [Fact]
    public async Task BreadthFirst_KeepsTheBestOfEachLevel()
    {
        var wide = await RunAsync(Options);
        Assert.Equal(("bab", 0.9), (wide.Best.Solution.Text, wide.Best.Score));
        // Two, then four, then the thoughts of ba and aa.
        Assert.Equal((10L, 3), (wide.Steps, wide.Rounds));
        Assert.Equal(["aaa", "aab", "baa", "bab"], wide.Solutions.Select(one => one.Solution.Text).Order(StringComparer.Ordinal));

        var narrow = await RunAsync(Options with { Breadth = 1 });
        Assert.Equal(("aab", 6L), (narrow.Best.Solution.Text, narrow.Steps));
    }

    [Fact]
    public async Task DepthFirst_GoesBackFromADeadEnd()
    {
        var deep = await RunAsync(Options with { Order = ThoughtOrder.DepthFirst, EnoughScore = 0.8 });
        // a, aa, back to ab, back to b, ba: six expansions of two thoughts.
        Assert.Equal(("bab", 12L), (deep.Best.Solution.Text, deep.Steps));

        var pruned = await RunAsync(Options with { Order = ThoughtOrder.DepthFirst, EnoughScore = 0.8, LeastScore = 0.35 });
        Assert.Equal(("bab", 10L), (pruned.Best.Solution.Text, pruned.Steps));
    }

    [Theory]
    [InlineData(ThoughtOrder.BreadthFirst)]
    [InlineData(ThoughtOrder.DepthFirst)]
    public async Task Budget_IsNeverPassed(ThoughtOrder order)
    {
        for (var budget = 1; budget <= 20; budget++)
        {
            var result = await RunAsync(Options with { Order = order, Budget = budget, Breadth = 8 });
            Assert.Equal(Math.Min(budget, 14), result.Steps);
            Assert.Equal(result.Steps, result.Scored);
            // Before any end is reached, the best state stands for the answer.
            if (budget == 2)
                Assert.Equal("a", result.Best.Solution.Text);
        }
    }

    [Fact]
    public async Task Depth_EndsTheSearch()
    {
        var result = await RunAsync(Options with { Depth = 2 });
        Assert.Equal((6L, "ba"), (result.Steps, result.Best.Solution.Text));
    }

    private static Task<SearchResult> RunAsync(TreeOfThoughtsOptions options) =>
        SearchMethod
            .TreeOfThoughts(Steps, SolutionValue.Of(solution => Values[solution.Text]), options)
            .RunAsync(SearchToys.Problem, seed: 1);
}
