namespace PostTrain.Tests.Training.Distributed;

/// <summary>A run of several ranks against the same run of one process.</summary>
internal static class RankedComparison
{
    /// <summary>Absolute, as in the law of micro-batches: no gradient is above 1, and no number so large that its rounding would reach
    /// it.</summary>
    internal const double Bound = 1e-12;

    internal static void Near(RankedResult expected, RankedResult actual, string what)
    {
        Assert.Equal(expected.Gradients.Length, actual.Gradients.Length);
        foreach (var (update, (alone, ranked)) in expected.Gradients.Zip(actual.Gradients).Index())
            Near(alone, ranked, $"{what}: the gradients of update {update}");
        Near(expected.Parameters, actual.Parameters, $"{what}: the weights");
        Assert.Equal(expected.Reports.Length, actual.Reports.Length);
        foreach (var (alone, ranked) in expected.Reports.Zip(actual.Reports))
        {
            Assert.Equal(alone.Keys.Order(StringComparer.Ordinal), ranked.Keys.Order(StringComparer.Ordinal));
            foreach (var (metric, value) in alone)
                Assert.True(
                    Math.Abs(value - ranked[metric]) < Bound,
                    $"{what}: {metric} of step {alone["step"]} is {ranked[metric]:R}, {value:R} of one process"
                );
        }
    }

    /// <summary>The same bits in gradients, weights and reports.</summary>
    internal static void Same(RankedResult expected, RankedResult actual, string what)
    {
        Assert.True(expected.Gradients.Length == actual.Gradients.Length, what);
        foreach (var (update, (alone, ranked)) in expected.Gradients.Zip(actual.Gradients).Index())
            Assert.True(alone.AsSpan().SequenceEqual(ranked), $"{what}: the gradients of update {update} differ in their bits");
        Assert.True(expected.Parameters.AsSpan().SequenceEqual(actual.Parameters), $"{what}: the weights differ in their bits");
        foreach (var (alone, ranked) in expected.Reports.Zip(actual.Reports))
        {
            Assert.Equal(alone.Keys.Order(StringComparer.Ordinal), ranked.Keys.Order(StringComparer.Ordinal));
            foreach (var (metric, value) in alone)
                Assert.True(
                    value.Equals(ranked[metric]),
                    $"{what}: {metric} of step {alone["step"]} is {ranked[metric]:R}, {value:R} of one process"
                );
        }
    }

    private static void Near(double[] alone, double[] ranked, string what)
    {
        Assert.Equal(alone.Length, ranked.Length);
        double apart = alone.Zip(ranked, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(apart < Bound, $"{what} are {apart} from those of one process");
    }
}
