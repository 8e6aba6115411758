using PostTrain.Exact;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Search;

/// <summary>Best of N, votes, diverse trees and beams against closed forms and enumeration.</summary>
public sealed class SearchLawTests
{
    private const int Runs = 3000;

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(16)]
    public async Task PerfectVerifier_FindsARightSolution_IffOneWasDrawn(int samples)
    {
        var method = SearchMethod.BestOfN(
            SearchToys.Steps(3, right: 0.5),
            SolutionValue.Of(solution => SearchToys.IsRight(solution) ? 1 : 0),
            new BestOfNOptions { Samples = samples }
        );
        var (share, margin) = await SearchToys.ShareAsync(
            method,
            Runs,
            result =>
            {
                Assert.Equal(samples, result.Solutions.Count);
                Assert.Equal(result.Solutions.Any(one => SearchToys.IsRight(one.Solution)), SearchToys.IsRight(result.Best.Solution));
                return SearchToys.IsRight(result.Best.Solution);
            }
        );
        Assert.Equal(TestTime.BestOfNAccuracy(0.125, samples), share, margin);
    }

    // A verifier that knows nothing chooses as the first sample does.
    [Theory]
    [InlineData(4)]
    [InlineData(16)]
    public async Task RandomVerifier_LeavesPassAtOne(int samples)
    {
        var random = new Random(7);
        var noise = SolutionValue.Of(_ => random.NextDouble());
        var steps = SearchToys.Steps(2, right: 0.6);
        ISearchMethod[] methods =
        [
            SearchMethod.BestOfN(steps, noise, new BestOfNOptions { Samples = samples }),
            SearchMethod.DiverseTrees(steps, noise, new DiverseTreesOptions { Branches = samples, Width = 4 }),
            SearchMethod.Beam(steps, noise, new StepBeamOptions { Branches = samples, Width = 4 }),
        ];
        foreach (var method in methods)
        {
            var (share, margin) = await SearchToys.ShareAsync(method, Runs, result => SearchToys.IsRight(result.Best.Solution));
            Assert.Equal(0.36, share, margin);
        }
    }

    // Process against outcome verification, by enumeration: 4 steps of 0.8, a tenth of what the verifier is told is wrong.
    [Theory]
    [InlineData(1, 0.410, 0.410)]
    [InlineData(2, 0.581, 0.603)]
    [InlineData(8, 0.861, 0.853)]
    [InlineData(64, 0.896, 0.862)]
    public async Task NoisyVerifiers_DoWhatEnumerationSays(int samples, double process, double outcome)
    {
        var world = new NoisyVerification(4, 0.8, 0.1);
        Assert.Equal(process, BestOfN.Accuracy(world.Process(), samples), 0.0006);
        Assert.Equal(outcome, BestOfN.Accuracy(world.Outcome(), samples), 0.0006);
        var method = SearchMethod.BestOfN(
            SearchToys.Steps(4, 0.8, 0.1),
            SearchToys.Verifier(0.8, 0.1),
            new BestOfNOptions { Samples = samples, Aggregation = ScoreAggregation.Product }
        );
        var (share, margin) = await SearchToys.ShareAsync(method, Runs, result => SearchToys.IsRight(result.Best.Solution));
        Assert.Equal(process, share, margin);
    }

    // The right answer is the mode in the first world, and not in the second: votes help only where it is.
    [Theory]
    [InlineData(0.6, 0.4, 0, 7)]
    [InlineData(0.4, 0.2, 0.2, 5)]
    [InlineData(0.3, 0.4, 0.3, 16)]
    public async Task Majority_IsTheClosedForm(double right, double second, double third, int samples)
    {
        double[] probabilities = [right, second, third, Math.Max(0, 1 - right - second - third)];
        var steps = StepGenerator.Table(_ =>
            [.. probabilities.Select((p, i) => (new SearchStep($"The answer is {i}", StepEnd.Finished), p))]
        );
        var method = SearchMethod.BestOfN(steps, null, new BestOfNOptions { Samples = samples, Choice = SolutionChoice.Majority });
        var (share, margin) = await SearchToys.ShareAsync(method, Runs, result => result.Best.Solution.Text.EndsWith('0'));
        Assert.Equal(TestTime.MajorityAccuracy(probabilities, samples), share, margin);
    }

    // Weights that are the answers' log-odds turn a vote for the mode into one for the right answer.
    [Fact]
    public async Task WeightedVote_FollowsItsWeights()
    {
        var steps = StepGenerator.Table(_ =>
            [(new SearchStep("The answer is 1", StepEnd.Finished), 0.3), (new SearchStep("The answer is 2", StepEnd.Finished), 0.7)]
        );
        var value = SolutionValue.Of(solution => solution.Text.EndsWith('1') ? 1 : 0.2);
        var method = SearchMethod.BestOfN(steps, value, new BestOfNOptions { Samples = 9, Choice = SolutionChoice.Weighted });
        // k of 9 are right; k·1 against (9 − k)·0.2: right from k = 2 on.
        var expected = 1 - Math.Pow(0.7, 9) - 9 * 0.3 * Math.Pow(0.7, 8);
        var (share, margin) = await SearchToys.ShareAsync(method, Runs, result => result.Best.Solution.Text.EndsWith('1'));
        Assert.Equal(expected, share, margin);
    }

    // A tree that sees the truth fails where all its draws of some step are wrong: 1 − (1 − (1 − (1−q)^M)^T)^{N/M}.
    [Theory]
    [InlineData(2, 2, 1)]
    [InlineData(8, 2, 3)]
    [InlineData(8, 4, 5)]
    public async Task DiverseTrees_WithAPerfectVerifier_AreTheClosedForm(int branches, int width, int length)
    {
        const double Right = 0.4;
        var perfect = SolutionValue.Of(solution => SearchToys.IsRight(solution) ? 1 : 0);
        var steps = SearchToys.Steps(length, Right);
        var tree = Math.Pow(1 - Math.Pow(1 - Right, width), length);
        var (share, margin) = await SearchToys.ShareAsync(
            SearchMethod.DiverseTrees(steps, perfect, new DiverseTreesOptions { Branches = branches, Width = width }),
            Runs,
            result => SearchToys.IsRight(result.Best.Solution)
        );
        Assert.Equal(1 - Math.Pow(1 - tree, branches / width), share, margin);

        // A beam of one is a tree of one.
        (share, margin) = await SearchToys.ShareAsync(
            SearchMethod.Beam(steps, perfect, new StepBeamOptions { Branches = width, Width = width }),
            Runs,
            result => SearchToys.IsRight(result.Best.Solution)
        );
        Assert.Equal(tree, share, margin);
    }

    // With a verifier that errs, each round of a tree is a best of M of single steps, whatever came before.
    [Fact]
    public async Task DiverseTrees_WithANoisyVerifier_AreRoundsOfBestOfN()
    {
        var step = BestOfN.Accuracy(new NoisyVerification(1, 0.7, 0.2).Process(), 4);
        var (share, margin) = await SearchToys.ShareAsync(
            SearchMethod.DiverseTrees(
                SearchToys.Steps(3, 0.7, 0.2),
                SearchToys.Verifier(0.7, 0.2),
                new DiverseTreesOptions { Branches = 4, Width = 4 }
            ),
            Runs,
            result => SearchToys.IsRight(result.Best.Solution)
        );
        Assert.Equal(Math.Pow(step, 3), share, margin);
    }

    // A beam that sees the truth, of two kept out of four: the kept right ones are a Markov chain on 0, 1, 2.
    [Fact]
    public async Task Beam_WithAPerfectVerifier_IsTheMarkovChain()
    {
        const double Right = 0.4;
        const int Length = 4;
        // Right branches of a round: four draws at the start, two for each right one that was kept after it.
        double[] kept = [0, 0, 1];
        for (var t = 0; t < Length; t++)
        {
            var next = new double[3];
            for (var state = 0; state < 3; state++)
            {
                for (var right = 0; right <= 2 * state; right++)
                    next[Math.Min(2, right)] +=
                        kept[state] * Choose(2 * state, right) * Math.Pow(Right, right) * Math.Pow(1 - Right, 2 * state - right);
            }

            kept = next;
        }

        var (share, margin) = await SearchToys.ShareAsync(
            SearchMethod.Beam(
                SearchToys.Steps(Length, Right),
                SolutionValue.Of(solution => SearchToys.IsRight(solution) ? 1 : 0),
                new StepBeamOptions { Branches = 4, Width = 2 }
            ),
            Runs,
            result => SearchToys.IsRight(result.Best.Solution)
        );
        Assert.Equal(1 - kept[0], share, margin);
    }

    [Fact]
    public void Aggregations_AreThoseOfStepScores()
    {
        double[][] rows =
        [
            [0.3],
            [0.9, 0.25, 0.5],
            [1, 0, 1],
            [0.1, 0.2, 0.3, 0.4],
        ];
        foreach (
            var (own, shared) in new[]
            {
                (ScoreAggregation.Last, StepAggregation.Last),
                (ScoreAggregation.Minimum, StepAggregation.Minimum),
                (ScoreAggregation.Product, StepAggregation.Product),
                (ScoreAggregation.Mean, StepAggregation.Mean),
            }
        )
        {
            foreach (var row in rows)
            {
                using var scope = NewDisposeScope();
                var probabilities = tensor(row).unsqueeze(0);
                Assert.Equal(StepScores.Aggregate(probabilities, ones_like(probabilities), shared).ToDouble(), own.Aggregate(row), 1e-15);
            }
        }

        var spread = ScoreAggregation.Of("spread", scores => scores.Max() - scores.Min());
        Assert.Equal((0.65, "spread"), (spread.Aggregate(rows[1]), spread.Name));
    }

    private static double Choose(int n, int k) => k == 0 ? 1 : Choose(n - 1, k - 1) * n / k;
}
