namespace PostTrain.Training.Diagnostics;

/// <summary>The training metric improves while the held-out metric gets worse.</summary>
public abstract record HeldOutGap : DiagnosticRule
{
    /// <summary>Consecutive evaluations below the best one that raise the warning, 1 to 128.</summary>
    /// <value>The default is 2.</value>
    public int Evaluations { get; init; } = 2;

    /// <summary>Minimum distance from the best evaluation, as a share of its absolute value; at least 0.</summary>
    /// <value>The default is 0.02.</value>
    public double Margin { get; init; } = 0.02;

    /// <summary>Training steps in each average, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    private protected abstract string Training { get; }

    private protected abstract string HeldOutMetric { get; }

    private protected abstract double Sign { get; }

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var evaluations = course[HeldOutMetric].Recent().ToArray();
        if (evaluations.Length <= Evaluations)
            return null;
        var best = evaluations[..^Evaluations].MaxBy(evaluation => Sign * evaluation.Value);
        double worst = Sign * best.Value - Margin * Math.Abs(best.Value);
        if (evaluations[^Evaluations..].Any(evaluation => Sign * evaluation.Value >= worst))
            return null;
        if (
            Mean(course[Training], best.Step) is not { } then
            || Mean(course[Training], course.Step) is not { } now
            || Sign * now <= Sign * then
        )
            return null;
        var latest = evaluations[^1].Value;
        return new Finding(
            latest,
            $"{HeldOutMetric} was {Number(best.Value)} at step {best.Step} and is {Number(latest)} now, "
                + $"while {Training} went from {Number(then)} to {Number(now)}."
        );
    }

    internal override void Validate()
    {
        CheckWindow(Evaluations, nameof(Evaluations));
        CheckWindow(Window, nameof(Window));
        if (!(Margin >= 0))
            throw new ArgumentOutOfRangeException(nameof(Margin), Margin, $"{GetType().Name}.Margin must be at least 0");
    }

    // The mean of the training metric at a step; null if its values are no longer kept.
    private double? Mean(MetricCourse course, long step)
    {
        var values = course.Recent().Where(point => point.Step <= step).Select(point => point.Value).TakeLast(Window).ToArray();
        return values.Length > 0 ? values.Average() : null;
    }
}
