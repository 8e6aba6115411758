namespace PostTrain.Text;

/// <summary>Prompt and completion as token ids.</summary>
internal static class CompletionTokens
{
    /// <summary>Encodes a prompt with its completion.</summary>
    /// <remarks>They are encoded together: a tokenizer may begin every text with a token of its own, or join letters across the border.
    /// What a template rendered has its end, or has none on purpose.</remarks>
    /// <param name="prompt">The text that is given.</param>
    /// <param name="completion">The text that follows.</param>
    /// <param name="tokenizer">Encodes.</param>
    /// <param name="appendEnd">Whether the tokenizer's end of sequence, where it has one, ends a completion that has no end yet.</param>
    /// <returns>The ids, and how many of them are the prompt's: those that the prompt alone begins with.</returns>
    internal static (int[] Ids, int PromptLength) Of(MarkedText prompt, MarkedText completion, ITokenizer tokenizer, bool appendEnd)
    {
        int[] ids = tokenizer.Encode(prompt + completion);
        int promptLength = ids.AsSpan().CommonPrefixLength(tokenizer.Encode(prompt));
        return
            appendEnd
            && !completion.IsRendered
            && tokenizer.EndOfSequenceId is { } end
            && !HasEnd(ids.AsSpan(promptLength), tokenizer, prompt.IsRendered)
            ? ([.. ids, end], promptLength)
            : (ids, promptLength);
    }

    // White space after the end, such as a template's line end, is no further text. In a rendered chat any special token ends a turn.
    private static bool HasEnd(ReadOnlySpan<int> completion, ITokenizer tokenizer, bool rendered)
    {
        var ends = tokenizer.EndOfSequenceIds;
        for (int i = completion.Length - 1; i >= 0; i--)
        {
            int[] one = [completion[i]];
            if (ends.Contains(one[0]))
                return true;
            string shown = tokenizer.Decode(one);
            bool isMark = shown.Length == 0 && tokenizer.Decode(one, skipSpecialTokens: false).Length > 0;
            if (isMark || !string.IsNullOrWhiteSpace(shown))
                return isMark && rendered;
        }

        return false;
    }
}
