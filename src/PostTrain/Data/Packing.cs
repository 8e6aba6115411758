using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Data;

/// <summary>Puts short sequences together in rows, so that little of a batch is padding.</summary>
/// <remarks>
/// With positions that begin again in each segment and a block-diagonal attention mask, a packed batch has the loss and the gradient of
/// the same sequences one a row (aggregated per token: a sequence is no longer a row): a model takes <see cref="PackedBatch.Segments"/> as
/// its attention mask and does both. Where a sequence takes n tokens, its segment takes n − 1
/// positions: the last token is only predicted, so no target belongs to the next segment.
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

    /// <summary>Lays the sequences out in packed rows.</summary>
    /// <param name="sequences">At least one; each has at least two tokens.</param>
    /// <param name="capacity">Positions in a row; no sequence has more than <paramref name="capacity"/> + 1 tokens.</param>
    /// <param name="paddingId">What stands in the inputs and targets of the positions after the last segment.</param>
    /// <returns>As many columns as the fullest row has positions. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">A sequence is too short or too long, or its prompt's length is out of range.</exception>
    public static PackedBatch Pack(IReadOnlyList<TokenSequence> sequences, int capacity, int paddingId)
    {
        if (sequences.Count == 0)
            throw new ArgumentException("sequences holds nothing, expected at least one", nameof(sequences));
        for (int i = 0; i < sequences.Count; i++)
            Check(sequences[i], i, capacity);
        var rows = FirstFitDecreasing([.. sequences.Select(sequence => sequence.Ids.Length - 1)], capacity);
        int columns = rows.Max(row => row.Sum(index => sequences[index].Ids.Length - 1));
        var (inputs, positions, segments, targets) = (
            new long[rows.Count, columns],
            new long[rows.Count, columns],
            new long[rows.Count, columns],
            new long[rows.Count, columns]
        );
        var loss = new float[rows.Count, columns];
        for (int row = 0; row < rows.Count; row++)
        {
            int column = 0;
            for (int segment = 0; segment < rows[row].Count; segment++)
            {
                var (ids, promptLength) = sequences[rows[row][segment]];
                for (int t = 0; t + 1 < ids.Length; t++, column++)
                {
                    inputs[row, column] = ids[t];
                    positions[row, column] = t;
                    segments[row, column] = segment + 1;
                    targets[row, column] = ids[t + 1];
                    loss[row, column] = t + 1 >= promptLength ? 1 : 0;
                }
            }
            for (; column < columns; column++)
                inputs[row, column] = targets[row, column] = paddingId;
        }
        return new PackedBatch(tensor(inputs), tensor(positions), tensor(segments), tensor(targets), tensor(loss));
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

    private static void Check(TokenSequence sequence, int index, int capacity)
    {
        if (sequence.Ids.Length < 2 || sequence.Ids.Length - 1 > capacity)
            throw new ArgumentException(
                $"sequences[{index}] has {sequence.Ids.Length} tokens, expected 2 to {capacity + 1L} (capacity {capacity})",
                nameof(sequence)
            );
        if (sequence.PromptLength < 0 || sequence.PromptLength > sequence.Ids.Length)
            throw new ArgumentException(
                $"sequences[{index}] has a prompt of {sequence.PromptLength} tokens, expected 0 to {sequence.Ids.Length}",
                nameof(sequence)
            );
    }
}
