namespace PostTrain.Training.Diagnostics;

/// <summary>Every completion of a step has the same reward, step after step.</summary>
public sealed record EqualRewards : DiagnosticRule
{
    /// <summary>Reports in a row, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "equal-rewards";

    /// <inheritdoc/>
    public override string Advice =>
        "There is nothing to compare, so methods that compare completions learn nothing. At the lowest reward the task is too hard or the verifier does not find the answer: read some completions, warm up by "
        + "supervised fine-tuning, give partial credit. At the highest the task is solved: take harder problems.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var mean = course["reward/mean"];
        return mean.Count > 0 && course["reward/std"].RecentAll(Steps, std => std <= 1e-9)
            ? new Finding(mean.Last, $"All completions of each of the last {Steps} steps had the same reward, now {Number(mean.Last)}.")
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
