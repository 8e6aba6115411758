namespace PostTrain.Rollouts;

/// <summary>Prompts padded on the left to one length, with room for the completions.</summary>
internal sealed record PromptBatch(long[] Ids, long[] Mask, int Rows, int PromptLength, int NewTokens)
{
    /// <summary>P + the most new tokens that fit.</summary>
    public int Width => PromptLength + NewTokens;

    /// <exception cref="ArgumentException">There is no prompt, or one is empty, too long, or holds an id outside the vocabulary; the message names it.</exception>
    public static PromptBatch Create(IReadOnlyList<int[]> prompts, int maxNewTokens, int paddingId, int vocabularySize, int contextLength)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        if (prompts.Count == 0)
            throw new ArgumentException("prompts is empty, expected at least one prompt.", nameof(prompts));
        if (paddingId < 0 || paddingId >= vocabularySize)
            throw new ArgumentOutOfRangeException(nameof(paddingId), paddingId, $"paddingId must be an id from 0 to {vocabularySize - 1}.");
        for (var row = 0; row < prompts.Count; row++)
            Check(prompts[row], row, vocabularySize, contextLength);

        var length = prompts.Max(prompt => prompt.Length);
        var newTokens = Math.Min(maxNewTokens, contextLength - length);
        var width = length + newTokens;
        var ids = new long[checked(prompts.Count * width)];
        var mask = new long[ids.Length];
        Array.Fill(ids, paddingId);
        for (var row = 0; row < prompts.Count; row++)
        {
            var start = row * width + length - prompts[row].Length;
            for (var i = 0; i < prompts[row].Length; i++)
                (ids[start + i], mask[start + i]) = (prompts[row][i], 1);
        }

        return new PromptBatch(ids, mask, prompts.Count, length, newTokens);
    }

    private static void Check(int[] prompt, int row, int vocabularySize, int contextLength)
    {
        if (prompt is null || prompt.Length == 0)
            throw new ArgumentException($"Prompt {row} is empty, expected at least one token.", nameof(prompt));
        if (prompt.Length > contextLength - 1)
            throw new ArgumentException($"Prompt {row} has {prompt.Length} tokens; the limit is {contextLength - 1}, one less than the context length.", nameof(prompt));
        foreach (var id in prompt)
        {
            if (id < 0 || id >= vocabularySize)
                throw new ArgumentException($"Prompt {row} holds the id {id}, expected ids from 0 to {vocabularySize - 1}.", nameof(prompt));
        }
    }
}
