namespace PostTrain.Training.Diagnostics;

/// <summary>The learning rate stays at 0, so the model learns nothing.</summary>
public sealed record LearningRateZero : DiagnosticRule
{
    /// <summary>Consecutive reports with a rate of 0 that raise the warning, 1 to 128.</summary>
    /// <value>The default is 3: warm-up has one such step.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "learning-rate-zero";

    /// <inheritdoc/>
    public override string Advice =>
        "No weights change. Either the schedule has ended (run no more steps than it was made for, or use a constant schedule), or "
        + "LearningRate is too small.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course["learning_rate"].RecentAll(Steps, rate => rate == 0)
            ? new Finding(0, $"The learning rate has been 0 for {Steps} steps.")
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
