namespace PostTrain.Rollouts;

/// <summary>Runs decoding rules over the rows of a batch and keeps the sequences that they put in place of drawn tokens.</summary>
internal sealed class ForcedTokens
{
    private readonly IReadOnlyList<DecodingRule> rules;
    private readonly int vocabularySize;
    private readonly Queue<int>[] pending;
    private readonly IReadOnlyList<int[]>? before;

    public ForcedTokens(IReadOnlyList<DecodingRule> rules, int rows, int vocabularySize, IReadOnlyList<int[]>? before)
    {
        (this.rules, this.vocabularySize, this.before) = (rules, vocabularySize, before);
        pending = [.. Enumerable.Range(0, rows).Select(_ => new Queue<int>())];
    }

    /// <summary>The token that a row gets: the next of a forced sequence, what a rule puts in place of the drawn one, or the drawn
    /// one.</summary>
    public int Next(int row, ReadOnlySpan<int> completion, int drawn)
    {
        if (pending[row].TryDequeue(out var token))
            return token;
        ReadOnlySpan<int> whole = before is { } earlier && earlier[row].Length > 0 ? [.. earlier[row], .. completion] : completion;
        foreach (var rule in rules)
        {
            if (rule(whole, drawn) is not { } replacement)
                continue;
            Check(replacement);
            foreach (var next in replacement.Skip(1))
                pending[row].Enqueue(next);
            return replacement[0];
        }

        return drawn;
    }

    private void Check(IReadOnlyList<int> replacement)
    {
        if (replacement.Count == 0)
            throw new InvalidOperationException("A decoding rule put no token in place of a drawn one, expected at least one or null.");
        foreach (var token in replacement)
        {
            if (token < 0 || token >= vocabularySize)
                throw new InvalidOperationException(
                    $"A decoding rule gave the token {token}, expected ids from 0 to {vocabularySize - 1}."
                );
        }
    }
}
