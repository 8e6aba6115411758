namespace PostTrain.Search;

/// <summary>Greedy steps behind branches, for their scores.</summary>
internal static class LookAhead
{
    /// <summary>Each solution with up to <paramref name="count"/> greedy steps more; one that ends stays.</summary>
    public static async Task<PartialSolution[]> AfterAsync(
        SearchRun run,
        PartialSolution[] solutions,
        int count,
        CancellationToken cancellation
    )
    {
        var ahead = (PartialSolution[])solutions.Clone();
        for (var k = 0; k < count; k++)
        {
            int[] open = [.. Enumerable.Range(0, ahead.Length).Where(i => !ahead[i].IsComplete)];
            var next = await run.ExtendAsync([.. open.Select(i => ahead[i])], toEnd: false, greedy: true, cancellation)
                .ConfigureAwait(false);
            for (var i = 0; i < open.Length; i++)
                ahead[open[i]] = next[i];
        }

        return ahead;
    }
}
