namespace PostTrain.Text.HuggingFace;

/// <summary>SentencePiece's pre-tokenizer: replaces spaces by a visible character and may prepend it to the text.</summary>
internal sealed class MetaspacePreTokenizer(char replacement, MetaspacePreTokenizer.Scheme scheme, bool splits) : PreTokenizer
{
    private readonly ReplaceNormalizer spaces = new(new LiteralPattern(" "), replacement.ToString());
    private readonly SplitPreTokenizer words = new(new LiteralPattern(replacement.ToString()), SplitBehavior.MergedWithNext);

    /// <summary>The pieces to which the character is prepended: all, the first of the text, none.</summary>
    internal enum Scheme
    {
        Always,
        First,
        Never,
    }

    internal static MetaspacePreTokenizer Read(TokenizerNode node) =>
        new(node.Get("replacement").Character(), ReadScheme(node), node.Flag("split", true));

    /// <summary>Reads the field prepend_scheme, or the older add_prefix_space.</summary>
    internal static Scheme ReadScheme(TokenizerNode node)
    {
        if (node.Find("prepend_scheme") is not { } scheme)
            return node.Flag("add_prefix_space", true) ? Scheme.Always : Scheme.Never;
        return scheme.Text() switch
        {
            "always" => Scheme.Always,
            "first" => Scheme.First,
            "never" => Scheme.Never,
            _ => throw scheme.Refuse("always, first or never"),
        };
    }

    internal override void Apply(PieceList pieces)
    {
        pieces.Replace(
            (piece, output) =>
            {
                bool prepends = scheme == Scheme.Always || (scheme == Scheme.First && piece.Origin == 0);
                var text = spaces.Apply(piece.Cut());
                if (prepends && text.Text[0] != replacement)
                    text = PrependNormalizer.Prepend(text, replacement.ToString());
                output.Add(new Piece(text, 0, text.Text.Length));
            }
        );
        if (splits)
            words.Apply(pieces);
    }
}
