namespace PostTrain.Text.HuggingFace;

/// <summary>GPT-2's pre-tokenizer: splits into words with their leading space, then maps every byte to a printable character.</summary>
internal sealed class BytePreTokenizer(bool addsSpace, bool splits) : PreTokenizer
{
    private static readonly SplitPreTokenizer Words = new(
        RegexPattern.Create(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"),
        SplitBehavior.Isolated
    );

    internal override void Apply(PieceList pieces)
    {
        if (addsSpace)
        {
            pieces.Replace(
                (piece, output) =>
                {
                    var text = piece.Span[0] == ' ' ? null : PrependNormalizer.Prepend(piece.Cut(), " ");
                    output.Add(text is null ? piece : new Piece(text, 0, text.Text.Length));
                }
            );
        }

        if (splits)
            Words.Apply(pieces);
        var bytes = new AlignedTextBuilder(Length(pieces));
        var bounds = new List<(int Start, int Length)>();
        foreach (var piece in pieces.Items)
        {
            if (piece.Token >= 0)
                continue;
            int start = bytes.Length;
            ByteNormalizer.Append(piece.Text, piece.Start, piece.Length, bytes);
            bounds.Add((start, bytes.Length - start));
        }

        var text = bytes.Build();
        int next = 0;
        pieces.Replace(
            (_, output) =>
            {
                var (start, length) = bounds[next++];
                output.Add(new Piece(text, start, length));
            }
        );
    }

    private static int Length(PieceList pieces)
    {
        int length = 0;
        foreach (var piece in pieces.Items)
            length += piece.Length;
        return length;
    }
}
