namespace PostTrain.Training.Diagnostics;

/// <summary>The loss of a policy-gradient run is near 0 while its gradient is not: it is training.</summary>
public sealed record ZeroLoss : DiagnosticRule
{
    /// <summary>Reports in a row, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <summary>A loss up to this size counts as near 0, above 0.</summary>
    /// <value>The default is 1e-3.</value>
    public double Loss { get; init; } = 1e-3;

    /// <summary>A gradient norm above this counts as one.</summary>
    /// <value>The default is 1e-8.</value>
    public double GradNorm { get; init; } = 1e-8;

    /// <inheritdoc/>
    public override string Name => "zero-loss";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override string Advice =>
        "It is training. The loss of GRPO and its relatives is -mean(ratio x advantage) + beta x kl: on-policy the ratio is 1 and the advantages of a group add up to 0, so its value is 0 "
        + "and its gradient is not. Watch reward/mean, the loss says nothing here.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var (loss, norm) = (course["loss"], course["grad_norm"]);
        return
            course.HasReward && loss.RecentAll(Steps, value => Math.Abs(value) <= Loss) && norm.RecentAll(Steps, value => value > GradNorm)
            ? new Finding(loss.Last, $"The loss is {Number(loss.Last)} and the gradient norm {Number(norm.Last)}: is it training?")
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Steps, nameof(Steps));
        CheckAbove(Loss, 0, nameof(Loss));
    }
}
