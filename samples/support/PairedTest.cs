using System.Globalization;
using MathNet.Numerics.Distributions;
using MathNet.Numerics.Statistics;

namespace PostTrain.Samples.Support;

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
