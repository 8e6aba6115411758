namespace PostTrain.Rewards;

/// <summary>Which completions answer one problem.</summary>
public static class CompletionGroups
{
    /// <summary>The indices of each group, in order of their first completions.</summary>
    /// <remarks>A group is all completions of the list whose <see cref="Completion.Problem"/> is equal (prompt, answer and fields),
    /// neighbours or not: a reward over groups does not change when the list is shuffled. A problem that a batch asks twice makes one group
    /// of both.</remarks>
    /// <param name="completions">The list.</param>
    public static IReadOnlyList<int[]> Of(IReadOnlyList<Completion> completions)
    {
        ArgumentNullException.ThrowIfNull(completions);
        return [.. Enumerable.Range(0, completions.Count).GroupBy(i => completions[i].Problem).Select(group => group.ToArray())];
    }
}
