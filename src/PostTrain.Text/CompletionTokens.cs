namespace PostTrain.Text;

/// <summary>Encodes prompts with completions.</summary>
internal static class CompletionTokens
{
    /// <summary>Encodes a prompt with its completion.</summary>
    /// <remarks>
    /// Both are encoded together: a tokenizer may add a token at the start of every text. Where it joins letters across the border, so that
    /// the ids of the prompt alone are no beginning of the ids of both, a model that samples after the prompt never sees the joined token:
    /// the completion is then encoded after the prompt's own ids. The same holds for the beginning of each learnt span. A rendered text
    /// gets no end token: it contains one, or omits it on purpose.
    /// </remarks>
    /// <param name="prompt">The prompt.</param>
    /// <param name="completion">The completion; only its learnt spans are learnt, if it has some.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="appendEnd">True to append the tokenizer's end of sequence, if it has one, to a completion without an end.</param>
    internal static CompletionEncoding Of(MarkedText prompt, MarkedText completion, ITokenizer tokenizer, bool appendEnd)
    {
        var encoding = completion.Learnt is null
            ? Whole(prompt, completion, tokenizer)
            : LearntSpans.Encode(prompt + completion, completion.After(prompt).Learnt!, tokenizer);
        // An end belongs to what is learnt: text that ends with something else has none of its own.
        bool endsLearnt = completion.Learnt is not { } spans || (spans.Count > 0 && spans[^1].End == completion.Length);
        if (
            !appendEnd
            || !endsLearnt
            || completion.IsRendered
            || tokenizer.EndOfSequenceId is not { } end
            || HasEnd(encoding.Ids.AsSpan(encoding.PromptLength), tokenizer, prompt.IsRendered)
        )
            return encoding;
        return encoding with { Ids = [.. encoding.Ids, end], Learnt = encoding.Learnt is { } learnt ? [.. learnt, true] : null };
    }

    private static CompletionEncoding Whole(MarkedText prompt, MarkedText completion, ITokenizer tokenizer)
    {
        int[] ids = tokenizer.Encode(prompt + completion),
            own = tokenizer.Encode(prompt);
        int common = ids.AsSpan().CommonPrefixLength(own);
        // What a tokenizer adds at the end of every text is no part of the prompt.
        if (common == own.Length || own.AsSpan(common).ToArray().All(id => IsMark(id, tokenizer)))
            return new CompletionEncoding(ids, common, null, JoinsBorder: false);
        return TextContinuation.Encode(own, ids, completion, tokenizer) is { } rest
            ? new CompletionEncoding([.. own, .. rest.Ids], own.Length, null, JoinsBorder: true)
            : new CompletionEncoding(ids, common, null, JoinsBorder: true);
    }

    // White space after the end, such as a template's line end, does not count as text. In a rendered chat any special token ends a turn.
    private static bool HasEnd(ReadOnlySpan<int> completion, ITokenizer tokenizer, bool rendered)
    {
        var ends = tokenizer.EndOfSequenceIds;
        for (int i = completion.Length - 1; i >= 0; i--)
        {
            int id = completion[i];
            if (ends.Contains(id))
                return true;
            bool isMark = IsMark(id, tokenizer);
            if (isMark || !string.IsNullOrWhiteSpace(tokenizer.Decode([id])))
                return isMark && rendered;
        }

        return false;
    }

    /// <summary>Returns true for a special token: it has a spelling but is no text.</summary>
    internal static bool IsMark(int id, ITokenizer tokenizer) =>
        tokenizer.Decode([id]).Length == 0 && tokenizer.Decode([id], skipSpecialTokens: false).Length > 0;
}
