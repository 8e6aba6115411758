using System.Globalization;

namespace PostTrain.Tool;

/// <summary>Number formats of the samples' tables.</summary>
public static class Format
{
    /// <summary>Formats as <c>12.3 %</c>.</summary>
    public static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} %");

    /// <summary>Formats with decimals; NaN is a dash.</summary>
    public static string Number(double value, int decimals = 3) =>
        double.IsNaN(value) ? "–" : value.ToString("F" + decimals.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Formats as <c>12,345</c>.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Formats as <c>1.2E-07</c>, or 0.</summary>
    public static string Small(double value) => value == 0 ? "0" : value.ToString("0.0E-00", CultureInfo.InvariantCulture);

    /// <summary>Formats as <c>1.2 s</c>.</summary>
    public static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:F1} s");
}
