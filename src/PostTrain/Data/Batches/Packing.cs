using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Data.Batches;

/// <summary>Puts short sequences together in rows, so that little of a batch is padding.</summary>
/// <remarks>
/// With positions that begin again in each segment and a block-diagonal attention mask, a packed batch has the loss and the gradient of
/// the same sequences one a row (aggregated per token: a sequence is no longer a row): a model takes
/// <see cref="SequenceBatch.AttentionMask"/> and does both. <see cref="SequenceBatch.Packed"/> lays rows out.
/// </remarks>
public static partial class Packing
{
    /// <summary>Which sequences share a row: first-fit decreasing, at most 11/9 of the fewest rows possible plus 6/9 (Dósa 2007).</summary>
    /// <remarks>Longest first, each into the first row that has room; equal lengths stay in their order. The same lengths give the same
    /// rows.</remarks>
    /// <param name="lengths">Positions that each sequence takes, 1 to <paramref name="capacity"/>.</param>
    /// <param name="capacity">Positions in a row, at least 1.</param>
    /// <returns>The sequences' indices, a list a row; each index once.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A length or the capacity is out of range.</exception>
    public static IReadOnlyList<IReadOnlyList<int>> FirstFitDecreasing(IReadOnlyList<int> lengths, int capacity)
    {
        CheckLengths(lengths, capacity);
        var rows = new List<List<int>>();
        var room = new List<int>();
        foreach (int index in Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]))
        {
            int row = room.FindIndex(free => free >= lengths[index]);
            if (row < 0)
            {
                row = rows.Count;
                rows.Add([]);
                room.Add(capacity);
            }
            rows[row].Add(index);
            room[row] -= lengths[index];
        }
        return rows;
    }

    /// <summary>Which positions each position may see: those of its own segment, and with <paramref name="causal"/> only up to
    /// itself.</summary>
    /// <param name="segments">[B,T], int64; 0 at padding.</param>
    /// <param name="causal">True by default.</param>
    /// <returns>[B,T,T], bool: [b,t,s] is true where query t may see key s. Padding sees nothing and is seen by nothing.</returns>
    /// <exception cref="ArgumentException">The segments are not [B,T] of int64.</exception>
    public static Tensor BlockDiagonalMask(Tensor segments, bool causal = true)
    {
        Numerics.Guard.Rank(segments, nameof(segments), 2, "[B,T]");
        if (segments.dtype != ScalarType.Int64)
            throw new ArgumentException($"segments has type {segments.dtype}, expected Int64", nameof(segments));
        using var scope = NewDisposeScope();
        var queries = segments.unsqueeze(-1);
        var mask = queries.eq(segments.unsqueeze(1)).logical_and(queries.ne(0));
        return (causal ? mask.tril() : mask).MoveToOuterDisposeScope();
    }

    private static void CheckLengths(IReadOnlyList<int> lengths, int capacity)
    {
        Numerics.Guard.AtLeast(capacity, 1, nameof(capacity));
        for (int i = 0; i < lengths.Count; i++)
            if (lengths[i] < 1 || lengths[i] > capacity)
                throw new ArgumentOutOfRangeException(
                    nameof(lengths),
                    lengths[i],
                    $"lengths[{i}] must be between 1 and the capacity, {capacity}"
                );
    }
}
