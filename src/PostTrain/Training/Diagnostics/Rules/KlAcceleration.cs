namespace PostTrain.Training.Diagnostics;

/// <summary>The KL divergence from the reference model grows at an increasing rate.</summary>
/// <remarks>Compares the means k₁, k₂, k₃ of three consecutive windows. Raises the warning if k₃ − k₂ &gt; Factor · (k₂ − k₁) and k₂ − k₁
/// &gt; 0. Quadratic growth, which is normal at the start of a run, gives a ratio below 2 from the third window on.</remarks>
public sealed record KlAcceleration : DiagnosticRule
{
    /// <summary>Threshold as a multiple of the rise of the window before, above 1.</summary>
    /// <value>The default is 3.</value>
    public double Factor { get; init; } = 3;

    /// <summary>Smallest rise from one window to the next that is examined, in nats per token.</summary>
    /// <value>The default is 0.05.</value>
    public double Rise { get; init; } = 0.05;

    /// <summary>Steps in a window, 1 to 128. Nothing is reported in the first window.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "kl-acceleration";

    /// <inheritdoc/>
    public override string Advice =>
        "The policy has probably found a fault of the reward: read completions now. Raise the KL weight, lower the learning rate, stop at "
        + "a target KL, or return to a checkpoint from before the rise.";

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
                $"The KL divergence rose by {Number(now)} in the last {Window} steps and by {Number(before)} in the {Window} steps before "
                    + $"({Number(now / before)} times as much), to {Number(kl.Last)} nats per token."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Factor, 1, nameof(Factor));
    }
}
