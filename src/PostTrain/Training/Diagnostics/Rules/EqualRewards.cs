namespace PostTrain.Training.Diagnostics;

/// <summary>All completions of a step have the same reward, for several steps in a row.</summary>
public sealed record EqualRewards : DiagnosticRule
{
    /// <summary>Consecutive reports that raise the warning, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "equal-rewards";

    /// <inheritdoc/>
    public override string Advice =>
        "Methods that compare completions learn nothing from equal rewards. If the reward is at its minimum, the task is too hard or the "
        + "verifier does not find the answer: read some completions, start with supervised fine-tuning, or give partial credit. "
        + "If it is at its maximum, the task is solved: use harder problems.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var mean = course["reward/mean"];
        return mean.Count > 0 && course["reward/std"].RecentAll(Steps, std => std <= 1e-9)
            ? new Finding(mean.Last, $"In each of the last {Steps} steps all completions had the same reward, now {Number(mean.Last)}.")
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
