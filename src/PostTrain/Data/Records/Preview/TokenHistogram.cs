using PostTrain.Numerics;

namespace PostTrain.Data.Records;

/// <summary>Distribution of lengths in tokens.</summary>
public sealed class TokenHistogram
{
    private TokenHistogram(IReadOnlyList<TokenCount> bars) => Bars = bars;

    /// <summary>Bars of equal width from the shortest to the longest length; empty if there are no sequences.</summary>
    public IReadOnlyList<TokenCount> Bars { get; }

    /// <summary>Number of sequences.</summary>
    public int Count { get; private init; }

    /// <summary>Sum of all lengths.</summary>
    public long Total { get; private init; }

    /// <summary>The shortest length; 0 if there are no sequences.</summary>
    public int Minimum { get; private init; }

    /// <summary>The longest length; 0 if there are no sequences.</summary>
    public int Maximum { get; private init; }

    /// <summary>Length that half of the sequences do not exceed.</summary>
    public int Median { get; private init; }

    /// <summary>Length that 95 of 100 sequences do not exceed.</summary>
    public int Percentile95 { get; private init; }

    /// <summary>Mean length; 0 if there are no sequences.</summary>
    public double Mean => Count == 0 ? 0 : (double)Total / Count;

    /// <summary>Counts lengths.</summary>
    /// <param name="lengths">Lengths in tokens, each at least 0.</param>
    /// <param name="bars">Most bars, at least 1; 20 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of bars is below 1.</exception>
    public static TokenHistogram Of(IEnumerable<int> lengths, int bars = 20)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        Guard.AtLeast(bars, 1, nameof(bars));
        int[] sorted = [.. lengths.Order()];
        if (sorted.Length == 0)
            return new TokenHistogram([]);
        int least = sorted[0],
            most = sorted[^1];
        int width = (int)(((long)most - least) / bars) + 1;
        var counts = new int[(most - least) / width + 1];
        foreach (int length in sorted)
            counts[(length - least) / width]++;
        return new TokenHistogram([
            .. counts.Select((count, i) => new TokenCount(least + i * width, (int)Math.Min(least + (i + 1L) * width - 1, most), count)),
        ])
        {
            Count = sorted.Length,
            Total = sorted.Sum(length => (long)length),
            Minimum = least,
            Maximum = most,
            Median = At(sorted, 0.5),
            Percentile95 = At(sorted, 0.95),
        };
    }

    // The least length that so many do not exceed.
    private static int At(int[] sorted, double share) => sorted[Math.Max((int)Math.Ceiling(share * sorted.Length) - 1, 0)];
}
