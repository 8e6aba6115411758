using System.Runtime.InteropServices;

namespace PostTrain.Text.HuggingFace;

/// <summary>The pieces of a text in order; steps replace pieces of text by others and keep found tokens.</summary>
internal sealed class PieceList
{
    private List<Piece> items = [];
    private List<Piece> spare = [];

    internal ReadOnlySpan<Piece> Items => CollectionsMarshal.AsSpan(items);

    internal void Add(Piece piece)
    {
        if (piece.Length > 0)
            items.Add(piece);
    }

    /// <summary>Replaces each piece of text by the pieces that <paramref name="step"/> adds; empty pieces are dropped.</summary>
    internal void Replace(Action<Piece, PieceList> step)
    {
        (items, spare) = (spare, items);
        items.Clear();
        foreach (var piece in spare)
        {
            if (piece.Token >= 0)
                items.Add(piece);
            else
                step(piece, this);
        }
    }
}
