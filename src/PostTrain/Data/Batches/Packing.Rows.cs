using PostTrain.Numerics;

namespace PostTrain.Data.Batches;

/// <summary>Rows of whole sequences.</summary>
public static partial class Packing
{
    /// <summary>Assigns sequences to rows: best-fit decreasing. Longest first, each into the row with the least space left; among equal
    /// rows the oldest.</summary>
    /// <param name="lengths">Positions that each sequence takes, 1 to <paramref name="capacity"/>.</param>
    /// <param name="capacity">Positions in a row, at least 1.</param>
    /// <returns>The sequences' indices, a list a row; each index once.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A length or the capacity is out of range.</exception>
    public static IReadOnlyList<IReadOnlyList<int>> BestFitDecreasing(IReadOnlyList<int> lengths, int capacity)
    {
        CheckLengths(lengths, capacity);
        var rows = new List<List<int>>();
        var rowsByRoom = new SortedDictionary<int, Queue<List<int>>>();
        var rooms = new SortedSet<int>();
        foreach (int index in Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]))
        {
            int length = lengths[index],
                room = capacity;
            List<int> row;
            if (rooms.GetViewBetween(length, capacity) is { Count: > 0 } fitting)
            {
                room = fitting.Min;
                row = rowsByRoom[room].Dequeue();
                if (rowsByRoom[room].Count == 0)
                    rooms.Remove(room);
            }
            else
            {
                rows.Add(row = []);
            }

            row.Add(index);
            if (room == length)
                continue;
            if (!rowsByRoom.TryGetValue(room - length, out var queue))
                rowsByRoom[room - length] = queue = new Queue<List<int>>();
            queue.Enqueue(row);
            rooms.Add(room - length);
        }

        return rows;
    }

    /// <summary>Puts sequences into rows of at most so many tokens.</summary>
    /// <param name="sequences">Token ids; empty sequences are left out.</param>
    /// <param name="capacity">Tokens in a row, at least 1.</param>
    /// <param name="strategy">The strategy.</param>
    /// <returns>The rows; of <see cref="PackingStrategy.Wrapped"/> each is one sequence.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is below 1.</exception>
    public static IReadOnlyList<PackedRow> PackRows(
        IReadOnlyList<int[]> sequences,
        int capacity,
        PackingStrategy strategy = PackingStrategy.BestFit
    )
    {
        ArgumentNullException.ThrowIfNull(sequences);
        Guard.AtLeast(capacity, 1, nameof(capacity));
        if (strategy == PackingStrategy.Wrapped)
            return [.. sequences.SelectMany(sequence => sequence).Chunk(capacity).Select(row => new PackedRow(row, [row.Length]))];
        int[][] parts =
        [
            .. sequences.SelectMany(sequence => sequence.Chunk(capacity).Take(strategy == PackingStrategy.BestFitSplit ? int.MaxValue : 1)),
        ];
        return
        [
            .. BestFitDecreasing([.. parts.Select(part => part.Length)], capacity)
                .Select(row => new PackedRow([.. row.SelectMany(index => parts[index])], [.. row.Select(index => parts[index].Length)])),
        ];
    }
}
