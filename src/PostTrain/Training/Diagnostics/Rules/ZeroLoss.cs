namespace PostTrain.Training.Diagnostics;

/// <summary>The loss of a policy-gradient run is near 0 but its gradient is not: the run is learning.</summary>
public sealed record ZeroLoss : DiagnosticRule
{
    /// <summary>Consecutive reports that raise the note, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <summary>Largest absolute loss that counts as near 0, above 0.</summary>
    /// <value>The default is 1e-3.</value>
    public double Loss { get; init; } = 1e-3;

    /// <summary>A gradient norm above this value counts as nonzero.</summary>
    /// <value>The default is 1e-8.</value>
    public double GradNorm { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override string Name => "zero-loss";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override string Advice =>
        "The model is learning. The loss of GRPO and related methods is -mean(ratio x advantage) + beta x kl. On-policy the ratio is 1 and "
        + "the advantages of a group sum to 0, so the loss is 0 although its gradient is not. Watch reward/mean instead of the loss.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var (loss, norm) = (course["loss"], course["grad_norm"]);
        return
            course.HasReward && loss.RecentAll(Steps, value => Math.Abs(value) <= Loss) && norm.RecentAll(Steps, value => value > GradNorm)
            ? new Finding(loss.Last, $"The loss is {Number(loss.Last)} although the gradient norm is {Number(norm.Last)}.")
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Steps, nameof(Steps));
        CheckAbove(Loss, 0, nameof(Loss));
    }
}
