using PostTrain.Rewards;
using PostTrain.Search;

namespace PostTrain.Samples.Support;

/// <summary>A search method of a comparison.</summary>
/// <param name="Family">Methods that differ in their width only.</param>
/// <param name="Width">Branches at once.</param>
/// <param name="Method">The method, with a name that says both.</param>
public sealed record SearchContender(string Family, int Width, ISearchMethod Method)
{
    /// <summary>One sample, and every method at widths of 4, 16, ....</summary>
    /// <param name="steps">Writes steps.</param>
    /// <param name="thinking">The same with a budget of thinking tokens; null leaves budget forcing out.</param>
    /// <param name="value">Scores steps.</param>
    /// <param name="places">Where answers are looked for.</param>
    /// <param name="most">The largest width, at least 4.</param>
    public static IEnumerable<SearchContender> All(
        IStepGenerator steps,
        IStepGenerator? thinking,
        ISolutionValue value,
        AnswerPlaces places,
        int most
    )
    {
        yield return new SearchContender(
            "one sample",
            1,
            Named("one sample", SearchMethod.BestOfN(steps, SolutionValue.Likelihood, new BestOfNOptions { Samples = 1 }))
        );
        if (thinking is not null)
            yield return new SearchContender(
                "budget forcing",
                1,
                Named("budget forcing", SearchMethod.BestOfN(thinking, null, new BestOfNOptions { Samples = 1 }))
            );
        string? Answer(PartialSolution solution) => AnswerExtraction.Extract(solution.Text, places);
        for (var width = 4; width <= most; width *= 4)
        {
            var n = new BestOfNOptions { Samples = width, Aggregation = ScoreAggregation.Minimum };
            yield return new SearchContender(
                "majority",
                width,
                Named($"majority of {width}", SearchMethod.BestOfN(steps, null, n with { Choice = SolutionChoice.MajorityOf(Answer) }))
            );
            yield return new SearchContender("best", width, Named($"best of {width}", SearchMethod.BestOfN(steps, value, n)));
            yield return new SearchContender(
                "weighted",
                width,
                Named(
                    $"weighted vote of {width}",
                    SearchMethod.BestOfN(steps, value, n with { Choice = SolutionChoice.WeightedOf(Answer) })
                )
            );
            yield return new SearchContender(
                "beam",
                width,
                Named(
                    $"beam of {width}",
                    SearchMethod.Beam(
                        steps,
                        value,
                        new StepBeamOptions
                        {
                            Branches = width,
                            Width = 4,
                            Aggregation = ScoreAggregation.Minimum,
                        }
                    )
                )
            );
            yield return new SearchContender(
                "diverse trees",
                width,
                Named(
                    $"diverse trees of {width}",
                    SearchMethod.DiverseTrees(
                        steps,
                        value,
                        new DiverseTreesOptions
                        {
                            Branches = width,
                            Width = 4,
                            Aggregation = ScoreAggregation.Minimum,
                        }
                    )
                )
            );
            yield return new SearchContender(
                "tree of thoughts",
                width,
                Named(
                    $"tree of thoughts, {10 * width} steps",
                    SearchMethod.TreeOfThoughts(
                        steps,
                        value,
                        new TreeOfThoughtsOptions
                        {
                            Thoughts = width,
                            Breadth = width / 4,
                            Budget = 10 * width,
                            Aggregation = ScoreAggregation.Minimum,
                        }
                    )
                )
            );
            yield return new SearchContender(
                "Monte-Carlo tree",
                width,
                Named(
                    $"Monte-Carlo tree, {4 * width} simulations",
                    SearchMethod.MonteCarlo(
                        steps,
                        value,
                        new MonteCarloOptions
                        {
                            Simulations = 4 * width,
                            Branches = width,
                            WideningExponent = 0.5,
                            WideningFactor = 2,
                            Batch = 4,
                            Selection = TreeSelection.Puct(),
                            Aggregation = ScoreAggregation.Minimum,
                        }
                    )
                )
            );
            yield return new SearchContender(
                "adaptive",
                width,
                Named(
                    $"adaptive up to {width}",
                    SearchMethod.Adaptive(
                        steps,
                        null,
                        new AdaptiveOptions
                        {
                            Most = width,
                            Batch = 2,
                            Stop = StopRule.Posterior(0.9, Answer),
                            Choice = SolutionChoice.MajorityOf(Answer),
                        }
                    )
                )
            );
        }
    }

    private static ISearchMethod Named(string name, ISearchMethod method) => SearchMethod.Of(name, method.RunAsync);
}
