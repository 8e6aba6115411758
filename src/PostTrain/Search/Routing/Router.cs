using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Calls the slow system where the fast one is not sure enough: where the expected gain E[r_slow − r_fast | s] exceeds its
/// cost.</summary>
/// <param name="Threshold">The slow system is called for signals below it: −∞ never, +∞ always.</param>
public sealed record Router(double Threshold)
{
    /// <summary>Returns true if the slow system should be called.</summary>
    /// <param name="signal">Confidence of the fast system, on the scale of the examples.</param>
    /// <exception cref="ArgumentOutOfRangeException">The signal is NaN.</exception>
    public bool CallsSlow(double signal) =>
        double.IsNaN(signal)
            ? throw new ArgumentOutOfRangeException(nameof(signal), signal, "signal must be a number")
            : signal < Threshold;

    /// <summary>The threshold with the highest mean of quality − price · cost on examples, the one with fewest slow calls among
    /// equals.</summary>
    /// <remarks>If the gain falls with the signal, this is the best of all rules on the signal. Thresholds are midway between neighbouring
    /// signals.</remarks>
    /// <param name="examples">At least one.</param>
    /// <param name="price">Quality that a unit of cost is worth, at least 0.</param>
    /// <exception cref="ArgumentException">There is no example, or a number is not finite.</exception>
    public static Router Fit(IReadOnlyList<RoutingExample> examples, double price)
    {
        Guard.NotNegative(price, nameof(price));
        // The first of the best: points are in ascending order of their thresholds.
        return new Router(Frontier(examples).MaxBy(point => Math.Round(point.Quality - price * point.Cost, 12))!.Threshold);
    }

    /// <summary>Quality and cost of every threshold that makes a difference, from never to always.</summary>
    /// <param name="examples">At least one.</param>
    /// <exception cref="ArgumentException">There is no example, or a number is not finite.</exception>
    public static IReadOnlyList<RoutingPoint> Frontier(IReadOnlyList<RoutingExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        if (
            examples.Count == 0
            || examples.Any(example =>
                !double.IsFinite(example.Signal)
                || !double.IsFinite(example.FastQuality)
                || !double.IsFinite(example.SlowQuality)
                || !double.IsFinite(example.SlowCost)
            )
        )
            throw new ArgumentException(
                $"examples holds {examples.Count} examples, expected at least one, all numbers finite",
                nameof(examples)
            );
        RoutingExample[] sorted = [.. examples.OrderBy(example => example.Signal)];
        double n = sorted.Length,
            quality = sorted.Sum(example => example.FastQuality),
            cost = 0;
        var points = new List<RoutingPoint> { new(double.NegativeInfinity, 0, quality / n, 0) };
        for (var i = 0; i < sorted.Length; i++)
        {
            quality += sorted[i].SlowQuality - sorted[i].FastQuality;
            cost += sorted[i].SlowCost;
            var isLast = i == sorted.Length - 1;
            if (isLast || sorted[i + 1].Signal > sorted[i].Signal)
                points.Add(
                    new RoutingPoint(
                        isLast ? double.PositiveInfinity : Between(sorted[i].Signal, sorted[i + 1].Signal),
                        (i + 1) / n,
                        quality / n,
                        cost / n
                    )
                );
        }

        return points;
    }

    // Above the lower one, whatever rounding does: signals below the threshold are slow.
    private static double Between(double low, double high) => low / 2 + high / 2 is var middle && middle > low ? middle : high;
}
