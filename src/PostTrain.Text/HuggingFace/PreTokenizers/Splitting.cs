using System.Runtime.InteropServices;

namespace PostTrain.Text.HuggingFace;

/// <summary>Splits pieces at the matches of a pattern.</summary>
internal static class Splitting
{
    /// <summary>Adds the parts of a piece; <paramref name="matches"/> cover it completely.</summary>
    internal static void Split(Piece piece, List<Match> matches, SplitBehavior behavior, PieceList output)
    {
        switch (behavior)
        {
            case SplitBehavior.Removed:
                foreach (var match in matches)
                    if (!match.Found)
                        Add(piece, match.Start, match.End, output);
                break;
            case SplitBehavior.Isolated:
                foreach (var match in matches)
                    Add(piece, match.Start, match.End, output);
                break;
            case SplitBehavior.MergedWithNext:
                // From the end, because a delimiter joins the text after it.
                var parts = CollectionsMarshal.AsSpan(matches);
                var reversed = new List<Match>();
                bool after = false;
                for (int i = parts.Length - 1; i >= 0; i--)
                {
                    if (parts[i].Found && !after && reversed.Count > 0)
                        reversed[^1] = reversed[^1] with { Start = parts[i].Start };
                    else
                        reversed.Add(parts[i]);
                    after = parts[i].Found;
                }

                for (int i = reversed.Count - 1; i >= 0; i--)
                    Add(piece, reversed[i].Start, reversed[i].End, output);
                break;
            default:
                Join(piece, matches, behavior, output);
                break;
        }
    }

    private static void Join(Piece piece, List<Match> matches, SplitBehavior behavior, PieceList output)
    {
        bool before = false;
        (int Start, int End)? open = null;
        foreach (var match in matches)
        {
            bool joins = behavior == SplitBehavior.Contiguous ? match.Found == before : match.Found && !before;
            if (joins && open is { } current)
            {
                open = (current.Start, match.End);
            }
            else
            {
                if (open is { } done)
                    Add(piece, done.Start, done.End, output);
                open = (match.Start, match.End);
            }

            before = match.Found;
        }

        if (open is { } last)
            Add(piece, last.Start, last.End, output);
    }

    private static void Add(Piece piece, int start, int end, PieceList output) =>
        output.Add(piece with { Start = piece.Start + start, Length = end - start });
}
