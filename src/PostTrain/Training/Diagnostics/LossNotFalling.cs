namespace PostTrain.Training.Diagnostics;

/// <summary>The loss of a run on fixed data is no lower than it was at the beginning.</summary>
/// <remarks>Not looked at where rewards judge the run: a policy-gradient loss has nowhere to fall to.</remarks>
public sealed record LossNotFalling : DiagnosticRule
{
    /// <summary>Steps that are compared, the first with the latest, 1 to 128.</summary>
    /// <value>The default is 50: nothing is said before step 100.</value>
    public int Window { get; init; } = 50;

    /// <summary>The share of the first loss by which it must have fallen, at least 0 and below 1.</summary>
    /// <value>The default is 0.01.</value>
    public double Fall { get; init; } = 0.01;

    /// <inheritdoc/>
    public override string Name => "loss-not-falling";

    /// <inheritdoc/>
    public override string Advice =>
        "Raise the learning rate by three to ten times, or lower it where the loss rises. Check that the mask counts the tokens that are to be learnt, that adapters are attached where the model is called, "
        + "and that the model can learn ten examples by heart.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var loss = course["loss"];
        if (
            course.HasReward
            || loss.Count < 2 * Window
            || loss.FirstMean(Window) is not { } first
            || loss.RecentMean(Window) is not { } recent
        )
            return null;
        return recent > first - Fall * Math.Abs(first)
            ? new Finding(recent, $"The loss was {Number(first)} in the first {Window} steps and is {Number(recent)} in the last {Window}.")
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        if (!(Fall is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(Fall), Fall, "LossNotFalling.Fall must be at least 0 and below 1");
    }
}
