namespace PostTrain.Training.Diagnostics;

/// <summary>The clip fraction is 0 because the trained policy is the one that sampled.</summary>
public sealed record OnPolicyClipping : DiagnosticRule
{
    /// <summary>Consecutive reports that raise the note, 1 to 128.</summary>
    /// <value>The default is 5.</value>
    public int Steps { get; init; } = 5;

    /// <inheritdoc/>
    public override string Name => "clip-fraction-zero";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override string Advice =>
        "With one update per batch the ratio of new to old policy is 1 for every token, so clipping has no effect. This is correct. "
        + "Set UpdatesPerBatch above 1 to update off-policy.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var distance = course["policy/old_kl"];
        return course["policy/clip_fraction"].RecentAll(Steps, share => share == 0) && distance.RecentAll(Steps, kl => Math.Abs(kl) < 1e-12)
            ? new Finding(0, $"No token has been clipped for {Steps} steps, and the KL divergence from the sampling policy is 0.")
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
