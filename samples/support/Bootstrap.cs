namespace PostTrain.Samples.Support;

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
