using System.Globalization;

namespace PostTrain.Training.Reports;

/// <summary>Evenly spaced round numbers for an axis: multiples of 1, 2 or 5 times a power of ten.</summary>
internal sealed class Ticks
{
    // Smaller differences count as zero, so that the reciprocal of a step stays finite.
    private const double Smallest = 1e-100;

    private Ticks(double step, long first, long last)
    {
        Step = step;
        Values = [.. Enumerable.Range(0, (int)(last - first + 1)).Select(i => Multiple(first + i))];
    }

    /// <summary>Distance between two ticks.</summary>
    public double Step { get; }

    /// <summary>The ticks in ascending order.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>Returns ticks that enclose [min, max]: the first at or below min, the last at or above max.</summary>
    /// <param name="min">Finite, at most <paramref name="max"/>. If both are equal, the axis is widened around them.</param>
    /// <param name="max">Finite.</param>
    /// <param name="intervals">Approximate number of intervals.</param>
    public static Ticks Around(double min, double max, int intervals)
    {
        (min, max) = Open(min, max);
        var step = NiceStep((max - min) / intervals);
        // The tolerance keeps 0.30000000000000004 from adding an interval.
        return new Ticks(step, (long)Math.Floor(min / step + 1e-9), (long)Math.Ceiling(max / step - 1e-9));
    }

    /// <summary>Returns the ticks in [min, max], for an axis that ends where the data end.</summary>
    /// <param name="min">Finite, at most <paramref name="max"/>.</param>
    /// <param name="max">Finite.</param>
    /// <param name="intervals">Approximate number of intervals.</param>
    /// <param name="minimumStep">Smallest distance between ticks; 1 for an axis of whole numbers.</param>
    public static Ticks Within(double min, double max, int intervals, double minimumStep = 0)
    {
        if (min == max)
            return new Ticks(1, 0, -1);
        var step = Math.Max(minimumStep, NiceStep((max - min) / intervals));
        return new Ticks(step, (long)Math.Ceiling(min / step - 1e-9), (long)Math.Floor(max / step + 1e-9));
    }

    /// <summary>Formats a tick as a label, all with the same number of decimals: 0.25, 2.5k, 1.2M, 5e-6.</summary>
    public string Label(double value)
    {
        var largest = Math.Max(Values.Select(Math.Abs).DefaultIfEmpty(0).Max(), Step);
        return largest switch
        {
            >= 1e12 or < 1e-3 => value == 0 ? "0" : value.ToString("0.##e-0", CultureInfo.InvariantCulture),
            >= 1e9 => Scaled(value, 1e9, "G"),
            >= 1e6 => Scaled(value, 1e6, "M"),
            >= 1e4 => Scaled(value, 1e3, "k"),
            _ => Scaled(value, 1, ""),
        };
    }

    /// <summary>Formats a single number with three or four significant digits.</summary>
    public static string Short(double value)
    {
        var size = Math.Abs(value);
        return size switch
        {
            _ when !double.IsFinite(value) => value.ToString(CultureInfo.InvariantCulture),
            0 => "0",
            >= 1e12 or < 1e-3 => value.ToString("0.##e-0", CultureInfo.InvariantCulture),
            >= 1e9 => (value / 1e9).ToString("0.##", CultureInfo.InvariantCulture) + "G",
            >= 1e6 => (value / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + "M",
            >= 1e4 => (value / 1e3).ToString("0.#", CultureInfo.InvariantCulture) + "k",
            >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
            >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
            >= 1 => value.ToString("0.00", CultureInfo.InvariantCulture),
            _ => value.ToString("0.000", CultureInfo.InvariantCulture),
        };
    }

    private double Multiple(long i) => Step < 1 ? i / Math.Round(1 / Step, 12) : i * Step;

    private string Scaled(double value, double unit, string suffix)
    {
        var decimals = Math.Max(0, -(int)Math.Floor(Math.Log10(Step / unit) + 1e-9));
        var text = (value / unit).ToString("F" + decimals, CultureInfo.InvariantCulture);
        return value == 0 ? "0" : text + suffix;
    }

    private static (double Min, double Max) Open(double min, double max)
    {
        // A range too narrow for doubles to divide into ticks counts as one value.
        var size = Math.Max(Math.Abs(min), Math.Abs(max));
        if (max - min > Math.Max(1e-9 * size, Smallest))
            return (min, max);
        return size < Smallest ? (-1, 1) : (min - 0.1 * size, max + 0.1 * size);
    }

    private static double NiceStep(double rough)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var factor = rough / power;
        // The limits are geometric means of 1, 2, 5 and 10, so the nearest factor on a logarithmic scale is chosen.
        var nice = factor switch
        {
            < 1.41422 => 1,
            < 3.16228 => 2,
            < 7.07107 => 5,
            _ => 10,
        };
        return nice * power;
    }
}
