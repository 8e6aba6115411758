namespace PostTrain.Training.Reports;

/// <summary>What a noisy curve needs to be read: its trend, and few enough points.</summary>
internal static class Smoothing
{
    /// <summary>Whether a curve runs up and down so much that its trend is hard to see: its path is over three times its range.</summary>
    public static bool IsNoisy(IReadOnlyList<CurvePoint> points)
    {
        double min = double.PositiveInfinity,
            max = double.NegativeInfinity,
            path = 0,
            last = double.NaN;
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

    /// <summary>The exponential moving average over both sides, mₜ = Σ kᵈ xᵢ / Σ kᵈ with d = |t − i| and k = 1 − 2 / (span + 1).</summary>
    /// <remarks>An average of the past alone runs behind the curve, and shows each rise later than it was. A value that is not finite
    /// leaves a gap of its own and does not enter the average.</remarks>
    public static CurvePoint[] Ema(IReadOnlyList<CurvePoint> points, double span)
    {
        var keep = 1 - 2 / (span + 1);
        var result = new CurvePoint[points.Count];
        var past = new (double Sum, double Weight)[points.Count];
        var state = (Sum: 0.0, Weight: 0.0);
        for (var i = 0; i < points.Count; i++)
            past[i] = state = Next(state, points[i].Value);

        state = default;
        for (var i = points.Count - 1; i >= 0; i--)
        {
            var (step, value) = points[i];
            // What comes after i joins what came up to i, which holds i itself.
            if (double.IsFinite(value))
                result[i] = new CurvePoint(step, (past[i].Sum + keep * state.Sum) / (past[i].Weight + keep * state.Weight));
            else
                result[i] = points[i];
            state = Next(state, value);
        }

        return result;

        (double Sum, double Weight) Next((double Sum, double Weight) before, double value) =>
            double.IsFinite(value) ? (keep * before.Sum + value, keep * before.Weight + 1) : (keep * before.Sum, keep * before.Weight);
    }

    /// <summary>At most about 2·<paramref name="buckets"/> points with the same envelope: lowest and highest of each bucket, in their
    /// order.</summary>
    /// <remarks>A gap stays where a bucket holds nothing finite.</remarks>
    public static IReadOnlyList<CurvePoint> Thin(IReadOnlyList<CurvePoint> points, int buckets)
    {
        if (points.Count <= 2 * buckets)
            return points;

        var result = new List<CurvePoint>(2 * buckets);
        for (var bucket = 0; bucket < buckets; bucket++)
        {
            int from = (int)((long)points.Count * bucket / buckets),
                to = (int)((long)points.Count * (bucket + 1) / buckets);
            int low = -1,
                high = -1;
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
