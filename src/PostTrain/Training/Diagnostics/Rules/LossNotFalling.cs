namespace PostTrain.Training.Diagnostics;

/// <summary>The loss of a run on fixed data has not fallen since the start.</summary>
/// <remarks>Not examined for runs with rewards: a policy-gradient loss need not fall.</remarks>
public sealed record LossNotFalling : DiagnosticRule
{
    /// <summary>Steps in each of the two windows that are compared, the first and the latest, 1 to 128.</summary>
    /// <value>The default is 50: nothing is reported before step 100.</value>
    public int Window { get; init; } = 50;

    /// <summary>Relative fall of the loss that is expected, at least 0 and below 1.</summary>
    /// <value>The default is 0.01.</value>
    public double Fall { get; init; } = 0.01;

    /// <inheritdoc/>
    public override string Name => "loss-not-falling";

    /// <inheritdoc/>
    public override string Advice =>
        "Raise the learning rate three to ten times; if the loss rises, lower it. Check that the mask counts the tokens to be learnt, "
        + "that adapters are attached to the model that is called, and that the model can memorise ten examples.";

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
            ? new Finding(recent, $"The mean loss was {Number(first)} in the first {Window} steps, now it is {Number(recent)}.")
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        if (!(Fall is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(Fall), Fall, "LossNotFalling.Fall must be at least 0 and below 1");
    }
}
