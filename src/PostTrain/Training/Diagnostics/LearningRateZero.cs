namespace PostTrain.Training.Diagnostics;

/// <summary>The learning rate stays 0, so that nothing is learnt.</summary>
public sealed record LearningRateZero : DiagnosticRule
{
    /// <summary>Reports in a row with a rate of 0, 1 to 128.</summary>
    /// <value>The default is 3: warm-up has one.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "learning-rate-zero";

    /// <inheritdoc/>
    public override string Advice =>
        "No weight changes. The schedule is over (train for more Steps than the schedule was made for, or use a constant one), or LearningRate is too small to be told from 0.";

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
