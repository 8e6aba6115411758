namespace PostTrain.Training.Reports;

/// <summary>What a noisy curve needs to be read: its trend, and few enough points.</summary>
internal static class Smoothing
{
    /// <summary>Whether a curve runs up and down so much that its trend is hard to see: its path is over three times its range.</summary>
    public static bool IsNoisy(IReadOnlyList<CurvePoint> points)
    {
        double min = double.PositiveInfinity, max = double.NegativeInfinity, path = 0, last = double.NaN;
        var count = 0;
        foreach (var (_, value) in points)
        {
            if (!double.IsFinite(value))
                continue;
            (min, max) = (Math.Min(min, value), Math.Max(max, value));
            path += double.IsNaN(last) ? 0 : Math.Abs(value - last);
            last = value;
            count++;
        }

        return count >= 20 && path > 3 * (max - min);
    }

    /// <summary>The exponential moving average mₜ = Σ (1−α)^(t−i) xᵢ / Σ (1−α)^(t−i), α = 2 / (span + 1).</summary>
    /// <remarks>The sum of weights in the denominator starts it at the first value instead of at 0. A value that is not finite
    /// leaves a gap of its own and does not enter the average.</remarks>
    public static CurvePoint[] Ema(IReadOnlyList<CurvePoint> points, double span)
    {
        var keep = 1 - 2 / (span + 1);
        double sum = 0, weight = 0;
        var result = new CurvePoint[points.Count];
        for (var i = 0; i < result.Length; i++)
        {
            var (step, value) = points[i];
            if (double.IsFinite(value))
            {
                sum = keep * sum + value;
                weight = keep * weight + 1;
                value = sum / weight;
            }

            result[i] = new CurvePoint(step, value);
        }

        return result;
    }

    /// <summary>At most about 2·<paramref name="buckets"/> points with the same envelope: lowest and highest of each bucket, in their order.</summary>
    /// <remarks>A gap stays where a bucket holds nothing finite.</remarks>
    public static IReadOnlyList<CurvePoint> Thin(IReadOnlyList<CurvePoint> points, int buckets)
    {
        if (points.Count <= 2 * buckets)
            return points;

        var result = new List<CurvePoint>(2 * buckets);
        for (var bucket = 0; bucket < buckets; bucket++)
        {
            int from = (int)((long)points.Count * bucket / buckets), to = (int)((long)points.Count * (bucket + 1) / buckets);
            int low = -1, high = -1;
            for (var i = from; i < to; i++)
            {
                if (!double.IsFinite(points[i].Value))
                    continue;
                low = low < 0 || points[i].Value < points[low].Value ? i : low;
                high = high < 0 || points[i].Value > points[high].Value ? i : high;
            }

            result.Add(points[low < 0 ? from : Math.Min(low, high)]);
            if (low != high)
                result.Add(points[Math.Max(low, high)]);
        }

        return result;
    }
}
