namespace PostTrain.Operators;

/// <summary>Visible keys of each query of a causal attention: in row b, query i those from <see cref="First"/> to i, without the ones of
/// other segments between them where there are any.</summary>
internal sealed class VisibleKeys
{
    private readonly int[]? first;
    private readonly long[]? segments;

    private VisibleKeys(int length, int window, int[]? first, long[]? segments)
    {
        (Length, this.first, this.segments) = (length, first, segments);
        Window = window;
    }

    /// <summary>Positions, T.</summary>
    internal int Length { get; }

    /// <summary>A query sees the last so many of what it could see.</summary>
    private int Window { get; }

    /// <summary>One sequence a row, no padding.</summary>
    /// <param name="length">T.</param>
    /// <param name="window">Null for no window.</param>
    internal static VisibleKeys All(int length, int? window) => new(length, window ?? int.MaxValue, null, null);

    /// <summary>Positions see those of their own segment.</summary>
    /// <param name="segments">[B·T], row by row.</param>
    /// <param name="length">T.</param>
    /// <param name="window">Null for no window.</param>
    /// <param name="positions">[B·T], how many of its own segment stand before a position; 0 in segment 0.</param>
    internal static VisibleKeys Of(ReadOnlySpan<long> segments, int length, int? window, out long[] positions)
    {
        positions = new long[segments.Length];
        var first = new int[segments.Length];
        var broken = false;
        var places = new Dictionary<long, List<int>>();
        for (var start = 0; start < segments.Length; start += length)
        {
            foreach (var list in places.Values)
                list.Clear();
            long last = 0;
            List<int>? own = null;
            for (var t = 0; t < length; t++)
            {
                var segment = segments[start + t];
                if (own is null || segment != last)
                {
                    if (!places.TryGetValue(segment, out own))
                        places.Add(segment, own = []);
                    last = segment;
                }
                own.Add(t);
                first[start + t] = own[Math.Max(0, own.Count - (window ?? int.MaxValue))];
                positions[start + t] = segment == 0 ? 0 : own.Count - 1;
                // Something of another segment stands between.
                broken |= t - own[0] >= own.Count;
            }
        }
        return new(length, window ?? int.MaxValue, first, broken ? segments.ToArray() : null);
    }

    /// <summary>True if each row is one segment that is not padding.</summary>
    internal static bool AreWhole(ReadOnlySpan<long> segments, int length)
    {
        for (var start = 0; start < segments.Length; start += length)
        {
            if (segments[start] == 0 || segments.Slice(start, length).ContainsAnyExcept(segments[start]))
                return false;
        }
        return true;
    }

    /// <summary>The first key that query <paramref name="query"/> of row <paramref name="row"/> sees.</summary>
    internal int First(long row, int query) => first is null ? Math.Max(0, query - Window + 1) : first[row * Length + query];

    /// <summary>True if the keys between first and last may hold some that are not seen.</summary>
    internal bool HasGaps => segments is not null;

    /// <summary>True if a query sees a key between its first and last one.</summary>
    internal bool Sees(long row, int query, int key) => segments is null || segments[row * Length + query] == segments[row * Length + key];
}
