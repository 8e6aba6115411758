using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.DiverseTrees"/>.</summary>
internal sealed class DiverseTreesMethod(IStepGenerator steps, ISolutionValue value, DiverseTreesOptions options) : ISearchMethod
{
    public string Name => $"diverse trees {options.Branches / options.Width} x {options.Width}";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        var run = new SearchRun(steps, value, options.Aggregation, seed);
        Tree[] trees = [.. Enumerable.Range(0, options.Branches / options.Width).Select(_ => new Tree(PartialSolution.Start(problem)))];
        var cancelled = false;
        try
        {
            for (var round = 0; round < options.Rounds && trees.Any(tree => tree.IsOpen); round++)
                await RoundAsync(run, [.. trees.Where(tree => tree.IsOpen)], round == options.Rounds - 1, cancellation)
                    .ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && trees[0].Last.Length > 0)
        {
            cancelled = true;
        }

        // What each tree drew last, the steps that it did not take too.
        return run.Result([.. trees.SelectMany(tree => tree.Last)], options.Choice, cancelled);
    }

    private async Task RoundAsync(SearchRun run, Tree[] open, bool last, CancellationToken cancellation)
    {
        PartialSolution[] repeated = [.. open.SelectMany(tree => Enumerable.Repeat(tree.Solution, options.Width))];
        var next = await run.ExtendAsync(repeated, toEnd: last, greedy: false, cancellation).ConfigureAwait(false);
        var ahead = last ? next : await LookAhead.AfterAsync(run, next, options.LookAhead, cancellation).ConfigureAwait(false);
        var scores = await run.ScoreAsync(ahead, cancellation).ConfigureAwait(false);
        for (var i = 0; i < open.Length; i++)
        {
            ScoredSolution[] drawn =
            [
                .. Enumerable.Range(i * options.Width, options.Width).Select(k => scores[k] with { Solution = next[k] }),
            ];
            var best = drawn[SolutionChoice.Best.Choose(drawn)].Solution;
            open[i].Last = drawn;
            open[i].Solution = best;
            open[i].IsOpen = !best.IsComplete && !(options.IsAnswered?.Invoke(best) ?? false);
        }
    }

    private sealed class Tree(PartialSolution start)
    {
        public PartialSolution Solution { get; set; } = start;

        public ScoredSolution[] Last { get; set; } = [];

        public bool IsOpen { get; set; } = true;
    }
}
