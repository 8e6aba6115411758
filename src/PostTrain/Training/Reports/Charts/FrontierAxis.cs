namespace PostTrain.Training.Reports;

/// <summary>A linear or logarithmic axis of a <see cref="FrontierChart"/>: ticks, and places between two ends in drawing units.</summary>
internal sealed class FrontierAxis
{
    private readonly Func<double, double> scale;
    private readonly double low,
        high,
        start,
        end;

    private FrontierAxis(IReadOnlyList<double> values, bool logarithmic, double start, double end)
    {
        (this.start, this.end) = (start, end);
        scale = logarithmic ? Math.Log10 : value => value;
        var (min, max) = (values.Min(), values.Max());
        if (logarithmic)
        {
            (low, high) = (Math.Log10(min), Math.Log10(max));
            var margin = Math.Max(0.02, 0.05 * (high - low));
            (low, high) = (low - margin, high + margin);
            Ticks = [.. Decades(low, high).Select(value => (value, Reports.Ticks.Short(value)))];
        }
        else
        {
            var ticks = Reports.Ticks.Around(min, max, 5);
            (low, high) = (ticks.Values[0], ticks.Values[^1]);
            Ticks = [.. ticks.Values.Select(value => (value, ticks.Label(value)))];
        }
    }

    /// <summary>Values with a line, and their labels.</summary>
    public IReadOnlyList<(double Value, string Label)> Ticks { get; }

    /// <summary>Creates an axis that holds all values.</summary>
    public static FrontierAxis Of(IReadOnlyList<double> values, bool logarithmic, double start, double end) =>
        new(values, logarithmic, start, end);

    /// <summary>Returns the place of a value.</summary>
    public double At(double value) => start + (scale(value) - low) / (high - low) * (end - start);

    // 1, 2 and 5 times powers of ten; powers alone over more than two decades.
    private static IEnumerable<double> Decades(double low, double high)
    {
        double[] factors = high - low > 2.5 ? [1] : [1, 2, 5];
        for (var power = (int)Math.Floor(low); power <= high; power++)
            foreach (var value in factors.Select(factor => factor * Math.Pow(10, power)))
                if (Math.Log10(value) >= low && Math.Log10(value) <= high)
                    yield return value;
    }
}
