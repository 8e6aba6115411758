namespace PostTrain.Text;

/// <summary>Encodes prompts with completions.</summary>
internal static class CompletionTokens
{
    /// <summary>Encodes a prompt with its completion.</summary>
    /// <remarks>Both are encoded together: a tokenizer may add a token at the start of every text, or merge letters across the border. A
    /// rendered text gets no end token: it contains one, or omits it on purpose.</remarks>
    /// <param name="prompt">The prompt.</param>
    /// <param name="completion">The completion.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="appendEnd">True to append the tokenizer's end of sequence, if it has one, to a completion without an end.</param>
    /// <returns>The ids, and the number of prompt tokens: the common prefix with the ids of the prompt alone.</returns>
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

    // White space after the end, such as a template's line end, does not count as text. In a rendered chat any special token ends a turn.
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
