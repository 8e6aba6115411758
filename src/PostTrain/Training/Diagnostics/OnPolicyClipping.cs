namespace PostTrain.Training.Diagnostics;

/// <summary>The clip fraction is 0 because the policy that is trained is the one that sampled.</summary>
public sealed record OnPolicyClipping : DiagnosticRule
{
    /// <summary>Reports in a row, 1 to 128.</summary>
    /// <value>The default is 5.</value>
    public int Steps { get; init; } = 5;

    /// <inheritdoc/>
    public override string Name => "clip-fraction-zero";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override string Advice =>
        "With one update a batch the ratio of new to old policy is 1 for every token, so clipping cannot act and its range has no effect. That is right; UpdatesPerBatch above 1 makes the ratio move.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var distance = course["policy/old_kl"];
        return course["policy/clip_fraction"].RecentAll(Steps, share => share == 0) && distance.RecentAll(Steps, kl => Math.Abs(kl) < 1e-12)
            ? new Finding(0, $"No token has been clipped for {Steps} steps, and the policy is at distance 0 from the one that sampled.")
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
