using System.Buffers;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Finds added tokens in a text: the leftmost match, and of those the longest.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<long, int> edges = [];
    private readonly List<AddedToken?> ends = [null];
    private readonly SearchValues<char> firsts;

    internal AddedTokenFinder(IReadOnlyList<(string Pattern, AddedToken Token)> tokens)
    {
        foreach (var (pattern, token) in tokens)
        {
            int node = 0;
            foreach (char unit in pattern)
            {
                if (!edges.TryGetValue(Edge(node, unit), out int next))
                {
                    edges[Edge(node, unit)] = next = ends.Count;
                    ends.Add(null);
                }

                node = next;
            }

            if (node > 0)
                ends[node] ??= token;
        }

        firsts = SearchValues.Create([.. tokens.Where(entry => entry.Pattern.Length > 0).Select(entry => entry.Pattern[0]).Distinct()]);
    }

    /// <summary>Adds a piece's tokens and the text between them.</summary>
    internal void Split(Piece piece, PieceList output)
    {
        var text = piece.Span;
        int from = 0;
        for (int at = 0; at < text.Length; )
        {
            int skip = text[at..].IndexOfAny(firsts);
            if (skip < 0)
                break;
            at += skip;
            var (token, length) = Longest(text[at..]);
            if (token is null)
            {
                at++;
                continue;
            }

            var (start, end) = (at, at + length);
            at = end;
            if (token.SingleWord && (WordBefore(text[..start]) || WordAfter(text[end..])))
                continue;
            if (token.StripsLeft)
                start = Math.Max(text[..start].TrimEnd().Length, from);
            if (token.StripsRight)
                end = text.Length - text[end..].TrimStart().Length;
            if (from < start)
                output.Add(piece with { Start = piece.Start + from, Length = start - from });
            output.Add(new Piece(piece.Text, piece.Start + start, end - start, token.Id));
            // As in the reference, a token inside the white space that this one includes is still found.
            from = end;
        }

        if (from < text.Length)
            output.Add(piece with { Start = piece.Start + from, Length = text.Length - from });
    }

    private (AddedToken?, int) Longest(ReadOnlySpan<char> text)
    {
        (AddedToken? Token, int Length) best = default;
        int node = 0;
        for (int i = 0; i < text.Length && edges.TryGetValue(Edge(node, text[i]), out node); i++)
            if (ends[node] is { } token)
                best = (token, i + 1);
        return best;
    }

    private static bool WordBefore(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out var rune, out _) == OperationStatus.Done && Characters.IsWord(rune);

    private static bool WordAfter(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out var rune, out _) == OperationStatus.Done && Characters.IsWord(rune);

    private static long Edge(int node, char unit) => ((long)node << 16) | unit;
}
