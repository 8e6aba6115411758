using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Places of the tokens of one position: the position of each row's token in its own sequence, and what it sees of the
/// cache.</summary>
internal sealed unsafe class StepPlaces(int?[] windows)
{
    private long[] segments = [];
    private int rows;

    /// <summary>Cached positions and the new one, S.</summary>
    public int Length { get; private set; }

    /// <summary>Number of tokens of its own sequence before each row's token; 0 at padding.</summary>
    public int[] Positions { get; private set; } = [];

    /// <summary>For each row, the first position that is seen, by window.</summary>
    public int[][] First { get; } = Array.ConvertAll(windows, _ => Array.Empty<int>());

    /// <summary>The segment numbers of a row between whose first and last seen position others stand; empty for every other row.</summary>
    public ReadOnlySpan<long> Gaps(int row) => hasGaps[row] ? segments.AsSpan(row * Length, Length) : default;

    private bool[] hasGaps = [];

    /// <summary>Reads a segment map.</summary>
    /// <param name="map">[B,S], or null: one sequence a row, no padding.</param>
    /// <param name="count">B.</param>
    /// <param name="length">S.</param>
    public void Read(Tensor? map, int count, int length)
    {
        (rows, Length) = (count, length);
        if (Positions.Length < rows)
        {
            (Positions, hasGaps) = (new int[rows], new bool[rows]);
            for (var window = 0; window < First.Length; window++)
                First[window] = new int[rows];
        }
        if (map is null)
        {
            for (var row = 0; row < rows; row++)
                Whole(row, 0);
            return;
        }
        if (segments.Length < rows * length)
            segments = new long[rows * Math.Max(length, 2 * segments.Length / Math.Max(1, rows))];
        using (var numbers = map.dtype == ScalarType.Int64 ? map.contiguous() : map.to(ScalarType.Int64).contiguous())
        {
            new ReadOnlySpan<long>(TensorMemory.Address<long>(numbers), rows * length).CopyTo(segments);
        }
        for (var row = 0; row < rows; row++)
            Find(row, segments.AsSpan(row * length, length));
    }

    private void Find(int row, ReadOnlySpan<long> own)
    {
        var segment = own[^1];
        var start = own.IndexOf(segment);
        if (!own[start..].ContainsAnyExcept(segment))
        {
            Whole(row, start);
            if (segment == 0)
                Positions[row] = 0;
            return;
        }
        hasGaps[row] = true;
        var count = own.Count(segment);
        Positions[row] = segment == 0 ? 0 : count - 1;
        for (var window = 0; window < windows.Length; window++)
        {
            // The last so many of its own.
            var (at, left) = (Length, Math.Min(count, windows[window] ?? int.MaxValue));
            while (left > 0)
            {
                if (own[--at] == segment)
                    left--;
            }
            First[window][row] = at;
        }
    }

    private void Whole(int row, int start)
    {
        hasGaps[row] = false;
        Positions[row] = Length - start - 1;
        for (var window = 0; window < windows.Length; window++)
            First[window][row] = windows[window] is { } size ? Math.Max(start, Length - size) : start;
    }
}
