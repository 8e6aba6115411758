namespace PostTrain.Rewards;

/// <summary>Groups the completions of a list by problem.</summary>
public static class CompletionGroups
{
    /// <summary>Returns the indices of each group, in order of their first completions.</summary>
    /// <remarks>A group is all completions of the list with equal <see cref="Completion.Problem"/> (prompt, answer and fields), adjacent or
    /// not, so a reward over groups does not depend on the order of the list. A problem that occurs twice in a batch gives one
    /// group.</remarks>
    /// <param name="completions">The completions.</param>
    public static IReadOnlyList<int[]> Of(IReadOnlyList<Completion> completions)
    {
        ArgumentNullException.ThrowIfNull(completions);
        return [.. Enumerable.Range(0, completions.Count).GroupBy(i => completions[i].Problem).Select(group => group.ToArray())];
    }
}
