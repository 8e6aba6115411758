using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.BestOfN"/>.</summary>
internal sealed class BestOfNMethod(IStepGenerator steps, ISolutionValue? value, BestOfNOptions options) : ISearchMethod
{
    public string Name => $"best of {options.Samples} ({options.Choice})";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        var run = new SearchRun(steps, value, options.Aggregation, seed);
        var start = PartialSolution.Start(problem);
        var drawn = await run.ExtendAsync([.. Enumerable.Repeat(start, options.Samples)], toEnd: true, greedy: false, cancellation)
            .ConfigureAwait(false);
        return run.Result(await run.ScoreAsync(drawn, cancellation).ConfigureAwait(false), options.Choice);
    }
}
