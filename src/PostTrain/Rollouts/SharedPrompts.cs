namespace PostTrain.Rollouts;

/// <summary>The different prompts of a batch: a prompt that comes several times, as in a group of completions, is run once.</summary>
/// <param name="Rows">The first row of each different prompt.</param>
/// <param name="Places">For each row, the place of its prompt in <paramref name="Rows"/>.</param>
internal sealed record SharedPrompts(long[] Rows, long[] Places)
{
    /// <summary>The different ones among some prompts.</summary>
    public static SharedPrompts Of(IReadOnlyList<int[]> prompts)
    {
        var found = new Dictionary<int[], long>(new SameTokens());
        var (rows, places) = (new List<long>(), new long[prompts.Count]);
        for (var row = 0; row < prompts.Count; row++)
        {
            if (found.TryAdd(prompts[row], rows.Count))
                rows.Add(row);
            places[row] = found[prompts[row]];
        }
        return new SharedPrompts([.. rows], places);
    }

    private sealed class SameTokens : IEqualityComparer<int[]>
    {
        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] tokens)
        {
            var hash = new HashCode();
            foreach (var token in tokens)
                hash.Add(token);
            return hash.ToHashCode();
        }
    }
}
