using PostTrain.Text.Chat;

namespace PostTrain.Text;

/// <summary>Encodes texts of which spans are learnt.</summary>
internal static class LearntSpans
{
    /// <summary>Encodes a text and marks the tokens of its spans. Where a token reaches over the beginning of a span, the text is encoded
    /// in two pieces, as sampling sees it.</summary>
    /// <param name="text">The whole text.</param>
    /// <param name="spans">Spans of it, in order and without overlaps.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <exception cref="ArgumentException">The tokenizer gives no offsets, and the text cannot be spelled from its ids.</exception>
    internal static CompletionEncoding Encode(MarkedText text, IReadOnlyList<TextSpan> spans, ITokenizer tokenizer)
    {
        var (ids, offsets) = WithOffsets(text, tokenizer);
        int[] cuts =
        [
            .. spans
                .Where(span => span.Length > 0 && offsets.Any(token => token.Start < span.Start && span.Start < token.End))
                .Select(span => span.Start),
        ];
        if (cuts.Length > 0)
            (ids, offsets) = InPieces(text, cuts, ids, tokenizer) ?? (ids, offsets);
        bool[] learnt = RenderedChat.Mask(offsets, spans);
        int first = Array.IndexOf(learnt, true);
        return new CompletionEncoding(ids, first < 0 ? ids.Length : first, learnt, cuts.Length > 0);
    }

    private static (int[] Ids, (int Start, int End)[] Offsets)? InPieces(MarkedText text, int[] cuts, int[] together, ITokenizer tokenizer)
    {
        var (ids, offsets) = WithOffsets(text.Slice(0, cuts[0]), tokenizer);
        for (int i = 0; i < cuts.Length; i++)
        {
            int start = cuts[i],
                end = i + 1 < cuts.Length ? cuts[i + 1] : text.Length;
            var piece = text.Slice(start, end - start);
            int[] whole = i + 1 < cuts.Length ? tokenizer.Encode(text.Slice(0, end)) : together;
            if (TextContinuation.Encode(ids, whole, piece, tokenizer) is not { } rest)
                return null;
            var places = tokenizer is IOffsetTokenizer exact
                ? Shifted(
                    exact.EncodeWithOffsets(rest.Anchor + piece, addSpecialTokens: false).Offsets[^rest.Ids.Length..],
                    start,
                    rest.Anchor
                )
                : Spelled(ids, rest.Ids, text.Text[..end], start, tokenizer);
            offsets = [.. offsets, .. places];
            ids = [.. ids, .. rest.Ids];
        }
        return (ids, offsets);
    }

    private static (int Start, int End)[] Shifted((int Start, int End)[] offsets, int start, string anchor) =>
        [.. offsets.Select(token => (token.Start + start - anchor.Length, token.End + start - anchor.Length))];

    private static (int[] Ids, (int Start, int End)[] Offsets) WithOffsets(MarkedText text, ITokenizer tokenizer)
    {
        if (tokenizer is IOffsetTokenizer exact)
        {
            var encoding = exact.EncodeWithOffsets(text.Text, addSpecialTokens: !text.IsRendered);
            return (encoding.Ids, encoding.Offsets);
        }
        int[] ids = tokenizer.Encode(text);
        return (ids, Spelled([], ids, text.Text, 0, tokenizer));
    }

    // The places of tokens from how far each spells the text, for tokenizers without offsets and for pieces of a text.
    private static (int Start, int End)[] Spelled(int[] before, int[] ids, string text, int start, ITokenizer tokenizer)
    {
        var offsets = new (int Start, int End)[ids.Length];
        int place = start;
        for (int i = 0; i < ids.Length; i++)
        {
            string spelled = tokenizer.Decode([.. before, .. ids[..(i + 1)]], skipSpecialTokens: false);
            int end = Math.Max(Matched(spelled, text), place);
            offsets[i] = (place, end);
            place = end;
        }
        if (place < text.Length)
            throw new ArgumentException(
                $"the ids of '{Shortened(text)}' spell another text, expected a tokenizer with offsets ({nameof(IOffsetTokenizer)}) "
                    + "where only parts of a text are learnt",
                nameof(tokenizer)
            );
        return offsets;
    }

    // A tokenizer that begins every text with a mark of its own spells it before the text.
    private static int Matched(string spelled, string text)
    {
        int common = spelled.AsSpan().CommonPrefixLength(text);
        for (int skip = 1; skip < Math.Min(spelled.Length, 32); skip++)
            common = Math.Max(common, spelled.AsSpan(skip).CommonPrefixLength(text));
        return common;
    }

    private static string Shortened(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
