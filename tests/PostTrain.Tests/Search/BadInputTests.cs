using PostTrain.Refinement.Writing;
using PostTrain.Refinement;
using PostTrain.Search;

namespace PostTrain.Tests.Search;

/// <summary>Generators and values that do what they should not, budgets of nothing, and cancellation.</summary>
public sealed class BadInputTests
{
    private static readonly ISolutionValue Half = SolutionValue.Of(_ => 0.5);
    private static readonly IStepGenerator Endless = StepGenerator.Table(_ => [(new SearchStep("x"), 1)]);

    public static TheoryData<string> Methods =>
        new("best of n", "beam", "diverse trees", "thoughts", "deep thoughts", "monte carlo", "adaptive");

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task GeneratorWithoutAnEnd_IsCutOrNamed(string name)
    {
        // Trees end at their depth or budget; what is to be written to its end says that it has none.
        if (name is "thoughts" or "deep thoughts" or "monte carlo")
        {
            var result = await Method(name, Endless, Half).RunAsync(SearchToys.Problem, 1);
            Assert.False(result.Best.Solution.IsComplete);
            Assert.InRange(result.Best.Solution.StepCount, 1, 64);
        }
        else
        {
            await FailsAsync(Method(name, Endless, Half), "goes on after 10000 steps");
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task ValuesThatAreNoNumbers_AreNamed(string name)
    {
        var steps = SearchToys.Steps(2, 0.5);
        await FailsAsync(Method(name, steps, SolutionValue.Of(_ => double.NaN)), "the value gave NaN for solution 0");
        await FailsAsync(Method(name, steps, SolutionValue.Of(_ => double.PositiveInfinity)), "for solution 0, expected finite scores");
        await FailsAsync(Method(name, steps, Scores(list => [.. list.Skip(1)])), "lists of scores, expected");
        await FailsAsync(Method(name, steps, Scores(list => [.. list.Select(_ => Array.Empty<double>())])), "no score for solution 0");
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public async Task StepsThatAreNone_AreNamed(string name)
    {
        await FailsAsync(Method(name, Own(_ => []), Half), "gave 0 steps, expected");
        await FailsAsync(Method(name, Own(requests => [.. requests.Select(_ => (SearchStep)null!)]), Half), "gave no step for request 0");
        await FailsAsync(Method(name, StepGenerator.Table(_ => []), Half), "the table has no step behind ''");
        await FailsAsync(
            Method(name, StepGenerator.Table(_ => [(new SearchStep("x", StepEnd.Finished), 0.5)]), Half),
            "sum to 0.5, expected 1"
        );
    }

    // An empty step ends a solution.
    [Theory]
    [MemberData(nameof(Methods))]
    public async Task EmptySteps_EndASolution(string name)
    {
        var result = await Method(name, Own(requests => [.. requests.Select(_ => new SearchStep(""))]), Half)
            .RunAsync(SearchToys.Problem, 1);
        Assert.All(result.Solutions, solution => Assert.True(solution.Solution.IsComplete));
        Assert.Equal("", result.Best.Solution.Text);
    }

    [Fact]
    public async Task OpenStepWhereTheRestWasAskedFor_IsNamed() =>
        await FailsAsync(
            Method("best of n", Own(requests => [.. requests.Select(_ => new SearchStep("x"))]), Half),
            "a step that goes on for request 0, expected the rest"
        );

    [Fact]
    public void BudgetsOfNothing_AreNamed()
    {
        var steps = SearchToys.Steps(1, 0.5);
        void Refused(Func<object> make, string message) =>
            Assert.Contains(message, Assert.ThrowsAny<ArgumentException>(make).Message, StringComparison.Ordinal);
        Refused(() => SearchMethod.BestOfN(steps, Half, new BestOfNOptions { Samples = 0 }), "Samples must be at least 1");
        Refused(() => SearchMethod.Beam(steps, Half, new StepBeamOptions { Branches = 0 }), "Branches must be a positive multiple");
        Refused(() => SearchMethod.Beam(steps, Half, new StepBeamOptions { Branches = 6 }), "multiple of Width, 4");
        Refused(() => SearchMethod.Beam(steps, Half, new StepBeamOptions { Rounds = 0 }), "Rounds must be at least 1");
        Refused(() => SearchMethod.DiverseTrees(steps, Half, new DiverseTreesOptions { Width = 0 }), "Width must be at least 1");
        Refused(() => SearchMethod.TreeOfThoughts(steps, Half, new TreeOfThoughtsOptions { Budget = 0 }), "Budget must be at least 1");
        Refused(
            () => SearchMethod.TreeOfThoughts(steps, Half, new TreeOfThoughtsOptions { LeastScore = double.NaN }),
            "LeastScore must be a number"
        );
        Refused(() => SearchMethod.MonteCarlo(steps, Half, new MonteCarloOptions { Simulations = 0 }), "Simulations must be at least 1");
        Refused(() => SearchMethod.MonteCarlo(steps, Half, new MonteCarloOptions { WideningExponent = 2 }), "WideningExponent");
        Refused(() => SearchMethod.Adaptive(steps, Half, new AdaptiveOptions { Most = 0 }), "Most must be at least 1");
        Refused(() => StopRule.Posterior(0.4), "bound must be from 0.5");
        Refused(() => new Ucb1(0), "arms must be at least 1");
        Refused(() => TreeSelection.Uct(-1), "exploration");
        Refused(() => SearchMethod.Revision(null!, null!), "refiner");
    }

    // In the third round the caller cancels: what the first two found is given back, and counted.
    [Theory]
    [InlineData("beam", false)]
    [InlineData("diverse trees", false)]
    [InlineData("thoughts", false)]
    [InlineData("monte carlo", false)]
    [InlineData("adaptive", false)]
    [InlineData("beam", true)]
    [InlineData("monte carlo", true)]
    public async Task Cancellation_LeavesTheBestSoFar(string name, bool hangs)
    {
        using var stop = new CancellationTokenSource();
        var rounds = 0;
        var table = SearchToys.Steps(6, 0.5);
        var steps = StepGenerator.Of(
            async (requests, cancellation) =>
            {
                if (++rounds == 3)
                {
                    await stop.CancelAsync();
                    // A generator that never answers is left behind.
                    if (hangs)
                        await Task.Delay(Timeout.Infinite, CancellationToken.None);
                }

                return await table.ContinueAsync(requests, CancellationToken.None);
            }
        );
        var value = SolutionValue.Of(solution => SearchToys.IsRight(solution) ? 1 : 0);
        var result = await Method(name, steps, value).RunAsync(SearchToys.Problem, 1, stop.Token);
        Assert.True(result.IsCancelled);
        Assert.Equal(3, rounds);
        Assert.Equal(3, result.Rounds);
        Assert.NotEmpty(result.Solutions);
        Assert.Equal(result.Solutions.Max(one => one.Score), result.Best.Score);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Method(name, steps, value).RunAsync(SearchToys.Problem, 1, stop.Token)
        );
    }

    [Fact]
    public async Task OwnSelection_IsHeard_AndChecked()
    {
        var steps = SearchToys.Steps(3, 0.5);
        var value = SolutionValue.Of(solution => SearchToys.IsRight(solution) ? 1 : 0);
        ISearchMethod Beam(BranchSelection selection) =>
            SearchMethod.Beam(
                steps,
                value,
                new StepBeamOptions
                {
                    Branches = 8,
                    Width = 4,
                    Selection = selection,
                }
            );
        // The worst go on: no step behind a wrong one is right for good.
        var worst = await Beam((branches, count) => [.. Enumerable.Range(0, branches.Count).OrderBy(i => branches[i].Score).Take(count)])
            .RunAsync(SearchToys.Problem, 1);
        Assert.False(SearchToys.IsRight(worst.Best.Solution));
        await FailsAsync(Beam((_, _) => []), "the selection gave []");
        await FailsAsync(Beam((_, _) => [0, 0]), "the selection gave [0, 0]");
        await FailsAsync(Beam((_, _) => [8]), "the selection gave [8]");
        var choice = SolutionChoice.Of("own", _ => 99);
        var error = Assert.Throws<InvalidOperationException>(() => choice.Choose(worst.Solutions));
        Assert.Contains("choice 'own' gave 99", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TextSources_GiveStepsUpToTheSeparator()
    {
        var source = TextSource.Of(
            (prompts, request, _) =>
                Task.FromResult<IReadOnlyList<SourcedText>>([
                    .. prompts.Select(prompt => new SourcedText(
                        prompt == "problem" ? "one\n\ntwo\n\nthree" : $"rest at {request.Temperature}",
                        prompt == "problem" || request.Temperature > 0
                    )),
                ])
        );
        var steps = StepGenerator.Of(source);
        var start = PartialSolution.Start(SearchToys.Problem);
        var first = (await steps.ContinueAsync([new StepRequest(start, 1)]))[0];
        Assert.Equal(("one\n\n", StepEnd.Open), (first.Text, first.End));
        var whole = (await steps.ContinueAsync([new StepRequest(start, 1) { ToEnd = true }]))[0];
        Assert.Equal(("one\n\ntwo\n\nthree", StepEnd.Finished), (whole.Text, whole.End));
        var greedy = (await steps.ContinueAsync([new StepRequest(start.Then(first), 1) { Greedy = true }]))[0];
        Assert.Equal(("rest at 0", StepEnd.CutOff), (greedy.Text, greedy.End));
    }

    private static ISearchMethod Method(string name, IStepGenerator steps, ISolutionValue value) =>
        name switch
        {
            "best of n" => SearchMethod.BestOfN(steps, value, new BestOfNOptions { Samples = 3 }),
            "beam" => SearchMethod.Beam(
                steps,
                value,
                new StepBeamOptions
                {
                    Branches = 4,
                    Width = 2,
                    Rounds = 10,
                }
            ),
            "diverse trees" => SearchMethod.DiverseTrees(
                steps,
                value,
                new DiverseTreesOptions
                {
                    Branches = 4,
                    Width = 2,
                    Rounds = 10,
                }
            ),
            "thoughts" => SearchMethod.TreeOfThoughts(steps, value),
            "deep thoughts" => SearchMethod.TreeOfThoughts(steps, value, new TreeOfThoughtsOptions { Order = ThoughtOrder.DepthFirst }),
            "monte carlo" => SearchMethod.MonteCarlo(steps, value),
            _ => SearchMethod.Adaptive(
                steps,
                value,
                new AdaptiveOptions
                {
                    Stop = StopRule.Of("never", _ => false),
                    Most = 5,
                    Choice = SolutionChoice.Best,
                }
            ),
        };

    private static async Task FailsAsync(ISearchMethod method, string message)
    {
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => method.RunAsync(SearchToys.Problem, 1));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static IStepGenerator Own(Func<IReadOnlyList<StepRequest>, IReadOnlyList<SearchStep>> steps) =>
        StepGenerator.Of((requests, _) => ValueTask.FromResult(steps(requests)));

    private static ISolutionValue Scores(Func<IReadOnlyList<double[]>, IReadOnlyList<double[]>> change) =>
        SolutionValue.Of((solutions, _) => ValueTask.FromResult(change([.. solutions.Select(_ => new[] { 0.5 })])));
}
