namespace PostTrain.Training.Reports;

/// <summary>Moving averages and thinning of curves for display.</summary>
internal static class Smoothing
{
    /// <summary>Returns true if a curve fluctuates so much that its trend is hard to see: its path is over three times its range.</summary>
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

    /// <summary>Computes the two-sided exponential moving average mₜ = Σ kᵈ xᵢ / Σ kᵈ with d = |t − i|, k = 1 − 2 / (span + 1).</summary>
    /// <remarks>A one-sided average would lag behind the curve. A value that is not finite leaves a gap and is excluded from the
    /// average.</remarks>
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
            // Adds the sum from the right to the sum from the left, which already includes i.
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

    /// <summary>Reduces a curve to at most about 2·<paramref name="buckets"/> points with the same envelope: the lowest and the highest
    /// point of each bucket, in order.</summary>
    /// <remarks>A bucket without finite values keeps its gap.</remarks>
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
