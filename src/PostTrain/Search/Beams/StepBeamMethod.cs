using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.Beam"/>.</summary>
internal sealed class StepBeamMethod(IStepGenerator steps, ISolutionValue value, StepBeamOptions options) : ISearchMethod
{
    public string Name => $"beam {options.Branches / options.Width} x {options.Width}";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        var run = new SearchRun(steps, value, options.Aggregation, seed);
        PartialSolution[] active = [PartialSolution.Start(problem)];
        var completed = new List<ScoredSolution>();
        ScoredSolution[] scored = [];
        try
        {
            for (var round = 0; round < options.Rounds && active.Length > 0; round++)
            {
                scored = await RoundAsync(run, active, round == options.Rounds - 1, cancellation).ConfigureAwait(false);
                completed.AddRange(scored.Where(branch => branch.Solution.IsComplete));
                active = Kept([.. scored.Where(branch => !branch.Solution.IsComplete)]);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && scored.Length > 0)
        {
            return run.Result(completed.Count > 0 ? Ordered(completed) : scored, options.Choice, cancelled: true);
        }

        // Fewer than N are repeated, whole lists in order, so that a vote counts each as often as the peer does.
        var found = Ordered(completed);
        return run.Result([.. Enumerable.Range(0, options.Branches).Select(i => found[i % found.Length])], options.Choice);
    }

    private async Task<ScoredSolution[]> RoundAsync(SearchRun run, PartialSolution[] active, bool last, CancellationToken cancellation)
    {
        PartialSolution[] repeated = [.. Enumerable.Range(0, options.Branches).Select(i => active[i % active.Length])];
        var next = await run.ExtendAsync(repeated, toEnd: last, greedy: false, cancellation).ConfigureAwait(false);
        var ahead = last ? next : await LookAhead.AfterAsync(run, next, options.LookAhead, cancellation).ConfigureAwait(false);
        var scores = await run.ScoreAsync(options.ScoresLookAhead ? ahead : next, cancellation).ConfigureAwait(false);
        return [.. next.Zip(scores, (solution, score) => score with { Solution = solution })];
    }

    private ScoredSolution[] Ordered(List<ScoredSolution> completed) =>
        [
            .. (options.SortsCompleted ? completed.OrderByDescending(branch => branch.Score) : completed.AsEnumerable()).Take(
                options.Branches
            ),
        ];

    private PartialSolution[] Kept(ScoredSolution[] open)
    {
        if (options.DropsDuplicates)
            open = [.. open.DistinctBy(branch => branch.Solution.Text)];
        if (open.Length == 0)
            return [];
        var count = options.Branches / options.Width;
        var chosen = options.Selection is { } select
            ? Checked(select(open, count), open.Length)
            : Enumerable.Range(0, open.Length).OrderBy(i => open[i].Score).TakeLast(count);
        return [.. chosen.Order().Select(i => open[i].Solution)];
    }

    private static IReadOnlyList<int> Checked(IReadOnlyList<int>? chosen, int count) =>
        chosen is { Count: > 0 } && chosen.All(i => i >= 0 && i < count) && chosen.Distinct().Count() == chosen.Count
            ? chosen
            : throw new InvalidOperationException(
                $"the selection gave [{string.Join(", ", chosen ?? [])}], expected different indices from 0 to {count - 1}, at least one"
            );
}
