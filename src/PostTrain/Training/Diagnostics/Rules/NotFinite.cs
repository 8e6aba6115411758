namespace PostTrain.Training.Diagnostics;

/// <summary>A metric of an evaluation is NaN or infinite.</summary>
internal sealed record NotFinite : DiagnosticRule
{
    /// <inheritdoc/>
    public override string Name => "not-finite";

    /// <inheritdoc/>
    public override string Advice =>
        "An evaluation with such a metric is never the best one and does not count for early stopping. "
        + "Look for empty or broken held-out examples, probabilities of 0 and overflow in half precision. "
        + "A training loss that is not finite stops the run before the weights change.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var metrics = course.NotFinite.Where(metric => metric.Key.StartsWith("eval/", StringComparison.Ordinal)).ToArray();
        return metrics.Length == 0
            ? null
            : new Finding(metrics[0].Value, string.Join(", ", metrics.Select(metric => $"{metric.Key} is {Number(metric.Value)}")) + ".");
    }
}
