using PostTrain.Data;

namespace PostTrain.Search;

/// <summary>See <see cref="SearchMethod.TreeOfThoughts"/>.</summary>
internal sealed class TreeOfThoughtsMethod(IStepGenerator steps, ISolutionValue value, TreeOfThoughtsOptions options) : ISearchMethod
{
    public string Name => options.Order == ThoughtOrder.BreadthFirst ? "tree of thoughts, breadth first" : "tree of thoughts, depth first";

    public async Task<SearchResult> RunAsync(Problem problem, ulong seed, CancellationToken cancellation = default)
    {
        var run = new SearchRun(steps, value, options.Aggregation, seed);
        var found = new List<ScoredSolution>();
        var seen = new List<ScoredSolution>();
        // Breadth first the states of a level go on together, depth first one at a time, the best of the deepest first.
        var open = new List<ScoredSolution> { new(PartialSolution.Start(problem), [], 0) };
        var cancelled = false;
        try
        {
            while (open.Count > 0 && run.Steps < options.Budget)
            {
                var taken = options.Order == ThoughtOrder.BreadthFirst ? open.Count : 1;
                var states = open.GetRange(open.Count - taken, taken);
                open.RemoveRange(open.Count - taken, taken);
                var thoughts = await ThinkAsync(run, states, cancellation).ConfigureAwait(false);
                found.AddRange(thoughts.Where(thought => thought.Solution.IsComplete));
                seen.AddRange(thoughts);
                if (found.Any(thought => thought.Score >= options.EnoughScore))
                    break;
                open.AddRange(Promising(thoughts));
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested && seen.Count > 0)
        {
            cancelled = true;
        }

        return run.Result(found.Count > 0 ? found : seen, options.Choice, cancelled);
    }

    private async Task<ScoredSolution[]> ThinkAsync(SearchRun run, List<ScoredSolution> states, CancellationToken cancellation)
    {
        // States take turns, the best first, so that a short budget is shared.
        var count = (int)Math.Min((long)states.Count * options.Thoughts, options.Budget - run.Steps);
        PartialSolution[] asked = [.. Enumerable.Range(0, count).Select(i => states[^(1 + i % states.Count)].Solution)];
        int[] draws = [.. Enumerable.Range(0, count).Select(i => i / states.Count)];
        var next = await run.ExtendAsync(asked, toEnd: false, greedy: false, cancellation, draws).ConfigureAwait(false);
        return await run.ScoreAsync(next, cancellation).ConfigureAwait(false);
    }

    // In ascending order of their scores, the best last; the earlier of equal ones behind the later.
    private IEnumerable<ScoredSolution> Promising(ScoredSolution[] thoughts)
    {
        var open = thoughts
            .Where(thought =>
                !thought.Solution.IsComplete && thought.Solution.StepCount < options.Depth && thought.Score >= options.LeastScore
            )
            .Reverse()
            .OrderBy(thought => thought.Score);
        return options.Order == ThoughtOrder.BreadthFirst ? open.TakeLast(options.Breadth) : open;
    }
}
