namespace PostTrain.Text.HuggingFace;

/// <summary>Splits at a pattern.</summary>
internal sealed class SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior) : PreTokenizer
{
    internal static SplitPreTokenizer Read(TokenizerNode node)
    {
        var pattern = TextPattern.Read(node.Get("pattern"));
        return new SplitPreTokenizer(node.Flag("invert", false) ? new InvertedPattern(pattern) : pattern, Behavior(node.Get("behavior")));
    }

    internal static SplitBehavior Behavior(TokenizerNode node) =>
        node.Text() switch
        {
            "Removed" or "removed" => SplitBehavior.Removed,
            "Isolated" or "isolated" => SplitBehavior.Isolated,
            "MergedWithPrevious" or "merged_with_previous" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" or "merged_with_next" => SplitBehavior.MergedWithNext,
            "Contiguous" or "contiguous" => SplitBehavior.Contiguous,
            _ => throw node.Refuse("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
        };

    internal override void Apply(PieceList pieces)
    {
        var matches = new List<Match>();
        pieces.Replace(
            (piece, output) =>
            {
                matches.Clear();
                pattern.Find(piece.Span, matches);
                Splitting.Split(piece, matches, behavior, output);
            }
        );
    }
}
