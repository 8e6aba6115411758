namespace PostTrain.Rollouts;

/// <summary>Prompts padded on the left to one length, with room for the completions.</summary>
/// <param name="Ids">[B,P+T], row by row.</param>
/// <param name="Mask">[B,P+T]: 1 at the prompts' tokens.</param>
/// <param name="Lengths">Tokens of each prompt.</param>
/// <param name="Limits">The most new tokens of each row: those that were asked for, fewer where its own context ends before.</param>
internal sealed record PromptBatch(long[] Ids, long[] Mask, int[] Lengths, int[] Limits)
{
    /// <summary>B.</summary>
    public int Rows => Lengths.Length;

    /// <summary>P, the length of the longest prompt.</summary>
    public int PromptLength { get; } = Lengths.Max();

    /// <summary>T, the largest of the limits.</summary>
    public int NewTokens { get; } = Limits.Max();

    /// <summary>P + T. It can be over the context length, which no row is.</summary>
    public int Width => PromptLength + NewTokens;

    /// <exception cref="ArgumentException">There is no prompt, or one is empty, too long, or holds an id outside the vocabulary; the
    /// message names it.</exception>
    public static PromptBatch Create(
        IReadOnlyList<int[]> prompts,
        int maxNewTokens,
        int paddingId,
        int vocabularySize,
        int contextLength,
        IReadOnlyList<int>? rowLimits = null
    )
    {
        RequireAny(prompts);
        if (paddingId < 0 || paddingId >= vocabularySize)
            throw new ArgumentOutOfRangeException(nameof(paddingId), paddingId, $"paddingId must be an id from 0 to {vocabularySize - 1}.");
        Check(prompts, vocabularySize, contextLength);

        int[] lengths = [.. prompts.Select(prompt => prompt.Length)];
        int[] limits =
        [
            .. lengths.Select((tokens, row) => Math.Min(rowLimits is null ? maxNewTokens : rowLimits[row], contextLength - tokens)),
        ];
        var length = lengths.Max();
        var width = checked(length + limits.Max());
        var ids = new long[checked(prompts.Count * width)];
        var mask = new long[ids.Length];
        Array.Fill(ids, paddingId);
        for (var row = 0; row < prompts.Count; row++)
        {
            var start = row * width + length - prompts[row].Length;
            for (var i = 0; i < prompts[row].Length; i++)
                (ids[start + i], mask[start + i]) = (prompts[row][i], 1);
        }

        return new PromptBatch(ids, mask, lengths, limits);
    }

    /// <summary>Checks prompts as <see cref="Create"/> does.</summary>
    /// <exception cref="ArgumentException">There is no prompt, or one is empty, too long, or holds an id outside the vocabulary; the
    /// message names it.</exception>
    public static void Check(IReadOnlyList<int[]> prompts, int vocabularySize, int contextLength)
    {
        RequireAny(prompts);
        for (var row = 0; row < prompts.Count; row++)
            Check(prompts[row], row, vocabularySize, contextLength);
    }

    private static void RequireAny(IReadOnlyList<int[]> prompts)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        if (prompts.Count == 0)
            throw new ArgumentException("prompts is empty, expected at least one prompt.", nameof(prompts));
    }

    private static void Check(int[] prompt, int row, int vocabularySize, int contextLength)
    {
        if (prompt is null || prompt.Length == 0)
            throw new ArgumentException($"Prompt {row} is empty, expected at least one token.", nameof(prompt));
        if (prompt.Length > contextLength - 1)
            throw new ArgumentException(
                $"Prompt {row} has {prompt.Length} tokens; the limit is {contextLength - 1}, one less than the context length.",
                nameof(prompt)
            );
        foreach (var id in prompt)
        {
            if (id < 0 || id >= vocabularySize)
                throw new ArgumentException(
                    $"Prompt {row} holds the id {id}, expected ids from 0 to {vocabularySize - 1}.",
                    nameof(prompt)
                );
        }
    }
}

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
