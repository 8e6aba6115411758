using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.Adaptive"/>.</summary>
internal sealed class AdaptiveMethod(IStepGenerator steps, ISolutionValue? value, AdaptiveOptions options) : ISearchMethod
{
    public string Name => $"adaptive ({options.Stop})";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        var run = new SearchRun(steps, value, options.Aggregation, seed);
        var start = PartialSolution.Start(problem);
        var solutions = new List<ScoredSolution>();
        var cancelled = false;
        try
        {
            while (solutions.Count < options.Most && !(solutions.Count > 0 && options.Stop.IsEnough(solutions)))
            {
                var count = Math.Min(options.Batch, options.Most - solutions.Count);
                var drawn = await run.ExtendAsync([.. Enumerable.Repeat(start, count)], toEnd: true, greedy: false, cancellation)
                    .ConfigureAwait(false);
                solutions.AddRange(await run.ScoreAsync(drawn, cancellation).ConfigureAwait(false));
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && solutions.Count > 0)
        {
            cancelled = true;
        }

        return run.Result(solutions, options.Choice, cancelled);
    }
}
