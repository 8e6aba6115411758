namespace PostTrain.Text;

/// <summary>Encodes text that continues other text, without what a tokenizer puts at the start of a text.</summary>
internal static class TextContinuation
{
    // Characters that tokenizers keep apart from what follows, or at least from most of it; which one serves is found by trying.
    private static readonly string[] Anchors = ["\n", ".", "|", "a"];

    /// <summary>Returns ids that, after those of the text before, spell the same as the ids of both together.</summary>
    /// <param name="before">Ids of the text before, alone.</param>
    /// <param name="together">Ids of both.</param>
    /// <param name="text">The continuation.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <returns>The ids, and the text before which they stood when they were encoded; null if no encoding of the continuation spells
    /// it.</returns>
    internal static (int[] Ids, string Anchor)? Encode(int[] before, int[] together, MarkedText text, ITokenizer tokenizer)
    {
        string expected = tokenizer.Decode(together, skipSpecialTokens: false);
        foreach (var candidate in Candidates(text.Text, tokenizer))
            if (tokenizer.Decode([.. before, .. candidate.Ids], skipSpecialTokens: false) == expected)
                return candidate;
        return null;
    }

    private static IEnumerable<(int[] Ids, string Anchor)> Candidates(string text, ITokenizer tokenizer)
    {
        foreach (string anchor in Anchors)
            if (After(anchor, text, tokenizer) is { } ids)
                yield return (ids, anchor);
        yield return (tokenizer.Encode(MarkedText.Rendered(text)), "");
    }

    // Null where the tokenizer joins the anchor with the text, or has no such character.
    private static int[]? After(string anchor, string text, ITokenizer tokenizer)
    {
        try
        {
            int[] own = tokenizer.Encode(MarkedText.Rendered(anchor)),
                both = tokenizer.Encode(MarkedText.Rendered(anchor + text));
            return both.AsSpan().StartsWith(own) ? both[own.Length..] : null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
