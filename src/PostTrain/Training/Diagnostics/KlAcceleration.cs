namespace PostTrain.Training.Diagnostics;

/// <summary>The policy leaves its reference faster and faster.</summary>
/// <remarks>Three windows of equal length, k₁, k₂, k₃: said where k₃ − k₂ is over Factor · (k₂ − k₁) with k₂ − k₁ above 0. Growth with the
/// square of the step, as at the beginning of every run, has a ratio below 2 from the third window on.</remarks>
public sealed record KlAcceleration : DiagnosticRule
{
    /// <summary>How many times the rise of the window before, above 1.</summary>
    /// <value>The default is 3.</value>
    public double Factor { get; init; } = 3;

    /// <summary>A rise from window to window of less than this, in nats per token, is none.</summary>
    /// <value>The default is 0.05.</value>
    public double Rise { get; init; } = 0.05;

    /// <summary>Steps in a window, 1 to 128; nothing is said in the first.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "kl-acceleration";

    /// <inheritdoc/>
    public override string Advice =>
        "The policy has found something that pays, often a fault of the reward: read completions now. Raise the KL weight, lower the learning rate, stop at a target KL, or go back to the checkpoint before the bend.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var kl = course["kl"];
        if (
            kl.Count < 4 * Window
            || kl.RecentMean(Window, 2 * Window) is not { } first
            || kl.RecentMean(Window, Window) is not { } second
            || kl.RecentMean(Window) is not { } third
        )
            return null;
        double before = second - first,
            now = third - second;
        return now >= Rise && before > 0 && now > Factor * before
            ? new Finding(
                now / before,
                $"The KL divergence rose by {Number(now)} in the last {Window} steps, {Number(now / before)} times the {Number(before)} of the {Window} before, to {Number(kl.Last)} nats per token."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Factor, 1, nameof(Factor));
    }
}
