using PostTrain.Text;

namespace PostTrain.Supervised;

/// <summary>One sequence: prompt and completion as token ids, and how many of them are the prompt.</summary>
internal readonly record struct TokenExample(int[] Ids, int PromptLength)
{
    /// <summary>Encodes a prompt with its completion.</summary>
    /// <param name="prompt">The text that is given.</param>
    /// <param name="completion">The text that is learnt.</param>
    /// <param name="tokenizer">Encodes.</param>
    /// <param name="appendEnd">Whether the tokenizer's end of sequence, where it has one, ends a completion that has no end yet.</param>
    /// <param name="contextLength">The model's limit.</param>
    /// <param name="what">The example's name in an error.</param>
    /// <param name="parameter">The argument that it came in.</param>
    /// <exception cref="ArgumentException">The sequence is too long for the model, or has fewer than two tokens.</exception>
    internal static TokenExample Of(
        MarkedText prompt,
        MarkedText completion,
        ITokenizer tokenizer,
        bool appendEnd,
        int contextLength,
        string what,
        string parameter
    )
    {
        var (ids, promptLength) = CompletionTokens.Of(prompt, completion, tokenizer, appendEnd);
        // The last token is only predicted, never read, so it may stand one place beyond the context.
        if (ids.Length > contextLength + 1)
            throw new ArgumentException(
                $"{what} has {ids.Length} tokens ({promptLength} of them its prompt), expected at most {contextLength + 1}, one more than the model's context",
                parameter
            );
        if (ids.Length < 2)
            throw new ArgumentException($"{what} has {ids.Length} tokens, expected at least 2", parameter);
        return new TokenExample(ids, Math.Max(promptLength, 1));
    }
}
