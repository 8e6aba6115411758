using System.Globalization;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace PostTrain.Samples.Support;

/// <summary>A mean with the half width of its 95 % interval: mean ± t·s/√n, t the quantile of Student's distribution with n − 1 degrees of
/// freedom.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="HalfWidth">Half width of the interval.</param>
public readonly record struct Estimate(double Mean, double HalfWidth)
{
    /// <summary>Estimates the mean of independent values.</summary>
    public static Estimate Of(IReadOnlyCollection<double> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Count < 2)
            return new Estimate(values.DefaultIfEmpty(double.NaN).First(), double.NaN);
        return new Estimate(
            values.Mean(),
            StudentT.InvCDF(0, 1, values.Count - 1, 0.975) * values.StandardDeviation() / Math.Sqrt(values.Count)
        );
    }

    /// <summary>Estimates the mean of <c>after[i] − before[i]</c> for two methods on the same examples. The methods differ if the interval
    /// excludes 0.</summary>
    public static Estimate OfDifference(IReadOnlyList<double> after, IReadOnlyList<double> before)
    {
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(before);
        return Of([.. after.Zip(before, (a, b) => a - b)]);
    }

    /// <summary>The interval for <c>summary.json</c>.</summary>
    public IReadOnlyList<double> Interval => [Mean - HalfWidth, Mean + HalfWidth];

    /// <summary>Returns text such as <c>0.123 ± 0.004</c>; a single value has no interval, and no value is a dash.</summary>
    public override string ToString() =>
        double.IsNaN(Mean) ? "–"
        : double.IsNaN(HalfWidth) ? string.Create(CultureInfo.InvariantCulture, $"{Mean:F3} (one value)")
        : string.Create(CultureInfo.InvariantCulture, $"{Mean:F3} ± {HalfWidth:F3}");
}
