using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

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
