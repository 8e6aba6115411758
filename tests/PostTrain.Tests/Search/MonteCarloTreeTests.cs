using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;
using PostTrain.Exact;
using PostTrain.Search;
using Xunit.Abstractions;

namespace PostTrain.Tests.Search;

/// <summary>Monte-Carlo tree search and UCB1 over policies on enumerable trees, whose optimal values are known.</summary>
public sealed class MonteCarloTreeTests(ITestOutputHelper output)
{
    private static readonly TokenTree Tree = new(vocabulary: 3, depth: 3);

    // Means of Bernoulli rewards at the ends; the best path begins with 1, the best mean of an action under a random policy is 2.
    private static readonly double[] Means = MeansOfTree();

    private static readonly MonteCarloOptions Bandit = new()
    {
        Branches = 3,
        Evaluation = TreeEvaluation.Descend,
        Revalues = true,
        Selection = TreeSelection.Uct(),
    };

    private static double Optimum => Means.Max();

    [Fact]
    public async Task BestAction_IsFoundWithAProbabilityThatGoesToOne()
    {
        int[] simulations = [10, 100, 1000, 4000];
        var found = new double[simulations.Length];
        const int Seeds = 60;
        for (var seed = 0; seed < Seeds; seed++)
        {
            var tree = New(Bandit, seed);
            for (var i = 0; i < simulations.Length; i++)
            {
                await tree.SearchAsync(simulations[i] - tree.Root.Visits);
                found[i] += tree.Root.MostVisited!.Solution.Text == "1" ? 1.0 / Seeds : 0;
            }
        }

        output.WriteLine(string.Join(", ", simulations.Zip(found, (n, share) => FormattableString.Invariant($"{n}: {share:F3}"))));
        Assert.True(found[0] < found[1] && found[1] < found[2], "the share does not grow");
        Assert.Equal(1, found[^1], 0.02);
    }

    [Theory]
    [InlineData("uct")]
    [InlineData("polynomial")]
    public async Task ErrorOfTheRootValue_FallsAtLeastAsOneOverTheRoot(string rule)
    {
        int[] simulations = [512, 1024, 2048, 4096, 8192];
        var selection = rule == "uct" ? TreeSelection.Uct(0.5) : TreeSelection.Polynomial(0.3);
        var slope = await SlopeAsync(
            simulations,
            async seed =>
            {
                var tree = New(Bandit with { Selection = selection }, seed);
                var values = new double[simulations.Length];
                for (var i = 0; i < simulations.Length; i++)
                {
                    await tree.SearchAsync(simulations[i] - tree.Root.Visits);
                    values[i] = tree.Root.Mean;
                }

                return values;
            },
            seeds: 4
        );
        Assert.True(slope.Mean - slope.Half <= -0.5, $"the slope is {slope.Mean} ± {slope.Half}");
        Assert.InRange(slope.Mean, -1, -0.45);
    }

    // The tree has no chance in its transitions, so that a policy is what it does on its own path: 27 arms.
    [Fact]
    public async Task Ucb1OverPolicies_HasAnErrorOfLogOverN()
    {
        int[] simulations = [1 << 14, 1 << 15, 1 << 16, 1 << 17, 1 << 18];
        var slope = await SlopeAsync(
            simulations,
            seed =>
            {
                var bandit = new Ucb1(Tree.Sequences);
                var random = new Random(seed);
                var values = new double[simulations.Length];
                for (var (n, i) = (1, 0); i < simulations.Length; n++)
                {
                    var policy = bandit.Next();
                    bandit.Observe(policy, random.NextDouble() < Means[policy] ? 1 : 0);
                    if (n == simulations[i])
                        values[i++] = bandit.Estimate;
                }

                Assert.Equal(Array.IndexOf(Means, Optimum), bandit.MostPulled);
                return Task.FromResult(values);
            },
            seeds: 6
        );
        // ln n / n itself has this slope between the first and the last n.
        var law = Math.Log(Math.Log(simulations[^1]) / Math.Log(simulations[0])) / Math.Log(simulations[^1] / simulations[0]) - 1;
        output.WriteLine(FormattableString.Invariant($"ln n / n: {law:F3}"));
        Assert.InRange(slope.Mean, law - 0.1, law + 0.1);
        Assert.True(slope.Mean + slope.Half < -0.75);
    }

    [Fact]
    public void RegretOfUcb1_StaysBelowAuersBound()
    {
        var random = new Random(3);
        for (var trial = 0; trial < 40; trial++)
        {
            var range = trial % 2 == 0 ? 1.0 : 5.0;
            double[] means = [.. Enumerable.Range(0, 2 + trial % 6).Select(_ => random.NextDouble())];
            double[] gaps = [.. means.Select(mean => range * (means.Max() - mean))];
            var bandit = new Ucb1(means.Length, range);
            for (var n = 1; n <= 3000; n++)
            {
                var arm = bandit.Next();
                bandit.Observe(arm, random.NextDouble() < means[arm] ? range : 0);
                var regret = gaps.Zip(bandit.Pulls, (gap, pulls) => gap * pulls).Sum();
                Assert.True(regret <= Ucb1.RegretBound(gaps, n, range), $"trial {trial}, n = {n}");
            }

            Assert.Equal(3000, bandit.Pulls.Sum());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task Visits_AreTheSimulations_OnEveryLevel(int batch)
    {
        var tree = New(Bandit with { Batch = batch }, 1);
        await tree.SearchAsync(200);
        Assert.Equal(200, tree.Root.Visits);
        var level = new List<SearchNode> { tree.Root };
        while (level.Any(node => node.Children.Count > 0))
        {
            level = [.. level.SelectMany(node => node.Children)];
            Assert.Equal(200, level.Sum(node => node.Visits));
            Assert.All(level, node => Assert.Equal(0, node.Pending));
        }

        Assert.Equal(tree.Root.Children.Sum(child => child.Visits * child.Mean) / 200, tree.Root.Mean, 12);
        Assert.Equal(batch == 1 ? 1 : 0, tree.Result(SolutionChoice.Best).Rounds > 36 ? 1 : 0);
    }

    [Fact]
    public async Task ProgressiveWidening_DrawsAsManyStepsAsItMay()
    {
        var options = new MonteCarloOptions
        {
            Branches = 50,
            WideningExponent = 0.5,
            WideningFactor = 1.5,
            Depth = 3,
        };
        // Steps without end: each draw is another.
        var steps = StepGenerator.Of(
            (requests, _) =>
                ValueTask.FromResult<IReadOnlyList<SearchStep>>([.. requests.Select(request => new SearchStep($"{request.Draw},"))])
        );
        var tree = new MonteCarloTree(SearchToys.Problem, steps, SolutionValue.Of(_ => 0.5), options);
        for (var n = 1; n <= 100; n++)
        {
            await tree.SearchAsync(1);
            Check(tree.Root);
        }

        Assert.Equal(15, tree.Root.Children.Count);

        void Check(SearchNode node)
        {
            var may = Math.Ceiling(1.5 * Math.Sqrt(Math.Max(1, node.Visits)));
            Assert.True(node.Children.Count <= may, $"{node.Children.Count} branches at {node.Visits} visits");
            foreach (var child in node.Children)
                Check(child);
        }
    }

    [Fact]
    public async Task Advance_KeepsTheBranch()
    {
        var tree = New(Bandit, 4);
        await tree.SearchAsync(300);
        var child = tree.Root.MostVisited!;
        var (visits, mean, other) = (child.Visits, child.Mean, tree.Root.Children.First(node => node != child));
        tree.Advance(child);
        Assert.Same(child, tree.Root);
        Assert.Equal((visits, mean), (tree.Root.Visits, tree.Root.Mean));
        Assert.All(
            tree.Result(SolutionChoice.Best).Solutions,
            solution => Assert.StartsWith(child.Solution.Text, solution.Solution.Text, StringComparison.Ordinal)
        );
        await tree.SearchAsync(50);
        Assert.Equal(visits + 50, tree.Root.Visits);
        Assert.Contains("no child", Assert.Throws<ArgumentException>(() => tree.Advance(other)).Message, StringComparison.Ordinal);
    }

    // Without noise the best end is found, and its value stands at the root.
    [Theory]
    [InlineData(TreeEvaluation.Descend)]
    [InlineData(TreeEvaluation.Rollout)]
    public async Task MaximumBackup_FindsTheBestEnd(TreeEvaluation evaluation)
    {
        var options = Bandit with { Backup = TreeBackup.Maximum, Evaluation = evaluation, Revalues = false };
        var tree = new MonteCarloTree(SearchToys.Problem, Steps, SolutionValue.Of(solution => Means[Index(solution)]), options);
        await tree.SearchAsync(200);
        Assert.Equal(Optimum, tree.Root.Maximum);
        var result = tree.Result(SolutionChoice.Best);
        Assert.Equal((Optimum, Array.IndexOf(Means, Optimum)), (result.Best.Score, Index(result.Best.Solution)));
        // A solution that does not change its value is valued once.
        Assert.True(result.Scored <= (evaluation == TreeEvaluation.Descend ? Tree.Sequences : 200));
    }

    // Where all values are equal, PUCT visits branches in proportion to their priors.
    [Fact]
    public async Task Puct_FollowsThePriors()
    {
        double[] priors = [0.6, 0.3, 0.1];
        var steps = StepGenerator.Table(
            _ => [.. priors.Select((prior, i) => (new SearchStep($"{i}", StepEnd.Finished), prior))],
            lists: true
        );
        var options = Bandit with { Selection = TreeSelection.Puct(2), Evaluation = TreeEvaluation.Value, Revalues = false };
        var tree = new MonteCarloTree(SearchToys.Problem, steps, SolutionValue.Of(_ => 0), options);
        await tree.SearchAsync(1000);
        for (var i = 0; i < 3; i++)
            Assert.Equal(priors[i], tree.Root.Children[i].Visits / 1000.0, 0.01);
    }

    [Fact]
    public void Selections_AreTheirFormulas()
    {
        var branch = new BranchStatistics(0.25, 4, 81, 0.5);
        Assert.Equal(0.25 + 2 * Math.Sqrt(Math.Log(81) / 4), TreeSelection.Uct(2).IndexOf(branch), 15);
        Assert.Equal(0.25 + 2 * 0.5 * 9 / 5.0, TreeSelection.Puct(2).IndexOf(branch), 15);
        Assert.Equal(0.25 + 2 * 3 / 2.0, TreeSelection.Polynomial(2).IndexOf(branch), 15);
        Assert.Equal(-4, TreeSelection.Of("least visited", one => -one.Visits).IndexOf(branch));
        var error = Assert.Throws<InvalidOperationException>(() => TreeSelection.Of("own", _ => double.NaN).IndexOf(branch));
        Assert.Contains("selection 'own' gave NaN", error.Message, StringComparison.Ordinal);
    }

    private static IStepGenerator Steps { get; } =
        StepGenerator.Table(
            solution =>
                [
                    .. Enumerable
                        .Range(0, Tree.Vocabulary)
                        .Select(token =>
                            (
                                new SearchStep($"{token}", solution.StepCount == Tree.Depth - 1 ? StepEnd.Finished : StepEnd.Open),
                                1.0 / Tree.Vocabulary
                            )
                        ),
                ],
            lists: true
        );

    private static MonteCarloTree New(MonteCarloOptions options, int seed)
    {
        var random = new Random(seed);
        return new MonteCarloTree(
            SearchToys.Problem,
            Steps,
            SolutionValue.Of(solution => random.NextDouble() < Means[Index(solution)] ? 1 : 0),
            options,
            (ulong)seed
        );
    }

    private static int Index(PartialSolution solution) =>
        solution.Text.Aggregate(0, (index, digit) => Tree.Vocabulary * index + digit - '0');

    private static double[] MeansOfTree()
    {
        var random = new Random(11);
        var means = Enumerable.Range(0, Tree.Sequences).Select(_ => 0.1 + 0.4 * random.NextDouble()).ToArray();
        for (var i = 18; i < 27; i++)
            means[i] += 0.1;
        // 1, 2, 0.
        means[15] = 0.9;
        return means;
    }

    // The slope of log |mean estimate − V*| over log n: the mean over independent blocks of seeds, and its 95 % interval.
    private async Task<(double Mean, double Half)> SlopeAsync(int[] simulations, Func<int, Task<double[]>> estimates, int seeds)
    {
        const int Blocks = 8;
        var slopes = new double[Blocks];
        for (var block = 0; block < Blocks; block++)
        {
            var sums = new double[simulations.Length];
            for (var seed = 0; seed < seeds; seed++)
            {
                var values = await estimates(1000 * block + seed);
                for (var i = 0; i < sums.Length; i++)
                    sums[i] += values[i] / seeds;
            }

            var (_, slope) = MathNet.Numerics.Fit.Line(
                [.. simulations.Select(n => Math.Log(n))],
                [.. sums.Select(value => Math.Log(Math.Abs(value - Optimum)))]
            );
            slopes[block] = slope;
        }

        var half = StudentT.InvCDF(0, 1, Blocks - 1, 0.975) * slopes.StandardDeviation() / Math.Sqrt(Blocks);
        output.WriteLine(FormattableString.Invariant($"slope {slopes.Mean():F3} ± {half:F3}"));
        return (slopes.Mean(), half);
    }
}
