using System.Numerics;
using PostTrain.Data;
using PostTrain.Refinement;
using PostTrain.Rewards;
using PostTrain.Search;
using Xunit.Abstractions;

namespace PostTrain.Tests.Search;

/// <summary>Adaptive consistency against binomial sums and an exact count of its paths; other rules of stopping; revision.</summary>
public sealed class AdaptiveTests(ITestOutputHelper output)
{
    [Fact]
    public void Posterior_IsTheBinomialSum()
    {
        for (var votes = 0; votes <= 30; votes++)
        for (var others = 0; others <= 30; others++)
        {
            var n = votes + others + 1;
            var (sum, term) = (BigInteger.Zero, BigInteger.One);
            for (var k = 0; k <= votes; k++)
            {
                sum += term;
                term = term * (n - k) / (k + 1);
            }

            Assert.Equal((double)sum / Math.Pow(2, n), AdaptiveConsistency.Posterior(votes, others), 1e-12);
        }
    }

    // Two answers, the right one with probability p: all paths of votes until the rule is content, or 40 are drawn.
    [Theory]
    [InlineData(0.9, 0.95)]
    [InlineData(0.7, 0.95)]
    [InlineData(0.6, 0.8)]
    public async Task ErrorAndSaving_AreThoseOfTheEnumeration(double right, double bound)
    {
        const int Most = 40,
            Runs = 2000;
        var (accuracy, samples) = Enumerated(right, bound, Most);
        var method = SearchMethod.Adaptive(
            StepGenerator.Table(_ =>
                [
                    (new SearchStep("The answer is 1", StepEnd.Finished), right),
                    (new SearchStep("The answer is 2", StepEnd.Finished), 1 - right),
                ]
            ),
            null,
            new AdaptiveOptions { Most = Most, Stop = StopRule.Posterior(bound) }
        );
        var (steps, squares) = (0.0, 0.0);
        var (share, margin) = await SearchToys.ShareAsync(
            method,
            Runs,
            result =>
            {
                steps += result.Steps;
                squares += (double)result.Steps * result.Steps;
                Assert.Equal(result.Steps, result.Solutions.Count);
                return result.Best.Solution.Text.EndsWith('1');
            }
        );
        var fixedVote = TestTime.MajorityAccuracy([right, 1 - right], Most);
        output.WriteLine(
            FormattableString.Invariant(
                $"p {right}: {samples:F2} of {Most} samples, right {accuracy:F4}, measured {share:F4}; a vote of {Most}: {fixedVote:F4}"
            )
        );
        Assert.Equal(accuracy, share, margin);
        var mean = steps / Runs;
        Assert.Equal(samples, mean, 4 * Math.Sqrt((squares / Runs - mean * mean) / Runs));
        Assert.True(samples < Most / 1.5);
        Assert.True(accuracy <= fixedVote);
    }

    [Fact]
    public async Task Confidence_StopsAtTheFirstSureSolution()
    {
        double[] scores = [0.2, 0.7, 0.95, 0.99];
        var asked = 0;
        var method = SearchMethod.Adaptive(
            StepGenerator.Table(_ => [(new SearchStep("The answer is 1", StepEnd.Finished), 1)]),
            SolutionValue.Of(_ => scores[asked++]),
            new AdaptiveOptions
            {
                Most = 4,
                Stop = StopRule.Score(0.9),
                Choice = SolutionChoice.Best,
            }
        );
        var result = await method.RunAsync(SearchToys.Problem, 1);
        Assert.Equal((3, 0.95), (result.Solutions.Count, result.Best.Score));
    }

    [Fact]
    public async Task Likelihood_IsTheMeanOverTokens()
    {
        var step = new SearchStep("ab", StepEnd.Finished) { Tokens = [1, 2], LogProb = Math.Log(0.25) };
        var solution = PartialSolution.Start(SearchToys.Problem).Then(step);
        Assert.Equal(0.5, (await SolutionValue.Likelihood.ScoreAsync([solution]))[0][0], 15);
        var without = PartialSolution.Start(SearchToys.Problem).Then(new SearchStep("ab"));
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () => await SolutionValue.Likelihood.ScoreAsync([without]));
        Assert.Contains("has no log-prob", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OwnRule_AndBatches_AreHeard()
    {
        var method = SearchMethod.Adaptive(
            SearchToys.Steps(1, 0.5),
            null,
            new AdaptiveOptions
            {
                Most = 20,
                Batch = 6,
                Stop = StopRule.Of("seven", solutions => solutions.Count >= 7),
                Choice = SolutionChoice.Of("last", solutions => solutions.Count - 1),
            }
        );
        var result = await method.RunAsync(SearchToys.Problem, 1);
        Assert.Equal((12, 11, 2), (result.Solutions.Count, result.Chosen, result.Rounds));
        Assert.Equal("adaptive (seven)", method.Name);
    }

    [Fact]
    public async Task Revision_GoesOnUntilTheFeedbackAccepts()
    {
        var refiner = new CountingRefiner();
        var method = SearchMethod.Revision(
            refiner,
            FeedbackSources.Verifier(Reward.Of("three", completion => completion.Text == "draft 2" ? 1 : 0)),
            new SelfRefinementOptions { Rounds = 5 }
        );
        var result = await method.RunAsync(SearchToys.Problem, 1);
        Assert.Equal(["draft 0", "draft 1", "draft 2"], result.Solutions.Select(solution => solution.Solution.Text));
        Assert.Equal(("draft 2", 1.0, 3, 6L), (result.Best.Solution.Text, result.Best.Score, result.Rounds, result.Tokens));

        using var stop = new CancellationTokenSource();
        refiner.Wrote = () => stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => method.RunAsync(SearchToys.Problem, 1, stop.Token));
    }

    private sealed class CountingRefiner : IRefiner
    {
        internal Action Wrote { get; set; } = () => { };

        public ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default)
        {
            Wrote();
            cancellation.ThrowIfCancellationRequested();
            return ValueTask.FromResult<IReadOnlyList<Draft?>>([
                .. requests.Select(request => new Draft(
                    request.Problem.Prompt,
                    new Completion(request.Problem, $"draft {request.Round}", [1, 2], true)
                )),
            ]);
        }
    }

    private static (double Accuracy, double Samples) Enumerated(double right, double bound, int most)
    {
        var (accuracy, samples) = (0.0, 0.0);
        var open = new Dictionary<(int Right, int Wrong), double> { [(0, 0)] = 1 };
        for (var n = 1; n <= most; n++)
        {
            var next = new Dictionary<(int Right, int Wrong), double>();
            foreach (var ((a, b), p) in open)
            {
                Add(a + 1, b, p * right);
                Add(a, b + 1, p * (1 - right));
            }

            open = next;

            void Add(int a, int b, double p)
            {
                if (n < most && AdaptiveConsistency.Posterior(Math.Max(a, b), Math.Min(a, b)) <= bound)
                {
                    next[(a, b)] = next.GetValueOrDefault((a, b)) + p;
                    return;
                }

                samples += p * n;
                // Of equal votes the answer that came first stands: by symmetry of the order, half of the time.
                accuracy +=
                    a > b ? p
                    : a == b ? p / 2
                    : 0;
            }
        }

        return (accuracy, samples);
    }
}
