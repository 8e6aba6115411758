using System.Globalization;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;
using PostTrain.Training.Reports;

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

/// <summary>A comparison of two methods on the same examples, problems or seeds: the mean difference with its interval, and two tests of
/// whether it is 0.</summary>
/// <param name="Difference">The mean of after − before, with Student's 95 % interval.</param>
/// <param name="Wins">Pairs in which it is above 0.</param>
/// <param name="Losses">Pairs in which it is below 0.</param>
/// <param name="Pairs">All pairs.</param>
/// <param name="PValue">p of Student's paired test, two-sided; NaN with fewer than two pairs, 1 if all differences are 0.</param>
/// <param name="SignPValue">p of the sign test, two-sided and exact, which makes no assumption on the distribution. With five pairs it is
/// never below 0.0625.</param>
public readonly record struct PairedTest(Estimate Difference, int Wins, int Losses, int Pairs, double PValue, double SignPValue)
{
    /// <summary>Compares the values pair by pair.</summary>
    public static PairedTest Of(IReadOnlyList<double> after, IReadOnlyList<double> before)
    {
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(before);
        if (after.Count != before.Count)
            throw new ArgumentException($"after has {after.Count} values and before has {before.Count}, expected as many", nameof(after));
        double[] differences = [.. after.Zip(before, (a, b) => a - b)];
        int wins = differences.Count(difference => difference > 0),
            losses = differences.Count(difference => difference < 0),
            n = differences.Length;
        return new PairedTest(
            Estimate.Of(differences),
            wins,
            losses,
            n,
            Student(differences),
            Math.Min(1, 2 * Binomial.CDF(0.5, wins + losses, Math.Min(wins, losses)))
        );
    }

    /// <summary>The conclusion: <c>better</c> or <c>worse</c> if the interval excludes 0, otherwise <c>no difference is
    /// shown</c>.</summary>
    public string Verdict =>
        Difference.Mean - Difference.HalfWidth > 0 ? "better"
        : Difference.Mean + Difference.HalfWidth < 0 ? "worse"
        : "no difference is shown";

    /// <summary>Returns text such as <c>+0.103 ± 0.013</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Difference.Mean >= 0 ? "+" : "")}{Difference}");

    private static double Student(double[] differences)
    {
        if (differences.Length < 2)
            return double.NaN;
        double mean = differences.Mean(),
            error = differences.StandardDeviation() / Math.Sqrt(differences.Length);
        return error > 0 ? 2 * StudentT.CDF(0, 1, differences.Length - 1, -Math.Abs(mean) / error)
            : mean == 0 ? 1
            : 0;
    }
}

/// <summary>95 % bootstrap intervals of statistics other than means, by resampling the independent units.</summary>
/// <remarks>Efron 1979, the percentile interval. Dependent values, such as the steps of one solution, form one unit.</remarks>
public static class Bootstrap
{
    private const int Resamples = 1000;

    /// <summary>Returns the 2.5 % and the 97.5 % quantile of the statistic over resampled units; NaN if it has no value on the units
    /// themselves.</summary>
    /// <param name="units">Independent of each other; at least one.</param>
    /// <param name="statistic">The statistic of some units. Resamples with NaN are skipped.</param>
    /// <param name="seed">Seed of the resampling.</param>
    public static IReadOnlyList<double> Interval<T>(IReadOnlyList<T> units, Func<IReadOnlyList<T>, double> statistic, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(units);
        ArgumentNullException.ThrowIfNull(statistic);
        var random = new Random((int)seed);
        double[] values =
        [
            .. Enumerable
                .Range(0, Resamples)
                .Select(_ => statistic([.. Enumerable.Range(0, units.Count).Select(_ => units[random.Next(units.Count)])]))
                .Where(value => !double.IsNaN(value))
                .Order(),
        ];
        return values.Length == 0
            ? [double.NaN, double.NaN]
            : [values[(int)(0.025 * (values.Length - 1))], values[(int)Math.Ceiling(0.975 * (values.Length - 1))]];
    }
}

/// <summary>Measurements of several arms of an experiment over the same seeds: means with intervals, and paired differences from one of
/// them.</summary>
/// <param name="baseline">Name of the arm that the others are compared with.</param>
public sealed class ArmTable(string baseline)
{
    private readonly List<(string Arm, string Measure, double Value)> values = [];

    /// <summary>Adds a measurement. Seeds are added in the same order for every arm.</summary>
    public void Add(string arm, string measure, double value) => values.Add((arm, measure, value));

    /// <summary>Means over the seeds with their 95 % intervals, a row for each arm.</summary>
    public ReportTable Means =>
        new(
            ["arm", .. Measures],
            [.. Arms.Select(arm => (string[])[arm, .. Measures.Select(measure => Estimate.Of(Values(arm, measure)).ToString())])]
        );

    /// <summary>Differences from the baseline, seed by seed, with their 95 % intervals and verdicts.</summary>
    public ReportTable Differences =>
        new(
            [$"difference from {baseline}", .. Measures],
            [
                .. Arms.Where(arm => arm != baseline)
                    .Select(arm =>
                        (string[])
                            [
                                arm,
                                .. Measures.Select(measure =>
                                    Difference(arm, measure) is var test && test.Difference.Mean - test.Difference.HalfWidth > 0
                                        ? $"{test} (higher)"
                                    : test.Difference.Mean + test.Difference.HalfWidth < 0 ? $"{test} (lower)"
                                    : $"{test}"
                                ),
                            ]
                    ),
            ]
        );

    /// <summary>The numbers for <c>summary.json</c>.</summary>
    public IEnumerable<KeyValuePair<string, object>> Summary =>
        Arms.SelectMany(arm =>
            Measures.SelectMany(measure =>
                (KeyValuePair<string, object>[])
                    [
                        new($"{arm}: {measure}", Estimate.Of(Values(arm, measure)).Mean),
                        new($"{arm}: {measure}_interval", Estimate.Of(Values(arm, measure)).Interval),
                        new($"{arm}: {measure}_difference", Difference(arm, measure).Difference.Mean),
                        new($"{arm}: {measure}_difference_interval", Difference(arm, measure).Difference.Interval),
                    ]
            )
        );

    /// <summary>Compares an arm with the baseline.</summary>
    public PairedTest Difference(string arm, string measure) => PairedTest.Of(Values(arm, measure), Values(baseline, measure));

    /// <summary>Prints both tables.</summary>
    public void Print()
    {
        ConsoleTable.Print(Means);
        ConsoleTable.Print(Differences);
    }

    private IEnumerable<string> Arms => values.Select(item => item.Arm).Distinct();

    private IEnumerable<string> Measures => values.Select(item => item.Measure).Distinct();

    private double[] Values(string arm, string measure) =>
        [.. values.Where(item => item.Arm == arm && item.Measure == measure).Select(item => item.Value)];
}
