namespace PostTrain.Training.Diagnostics;

/// <summary>A rollout source drew with weights that are too old, or with another model than the policy.</summary>
internal sealed record StaleRollouts : DiagnosticRule
{
    /// <summary>1 in a step with stale rollouts, absent in others.</summary>
    internal const string Metric = "rollout/stale";

    /// <inheritdoc/>
    public override string Name => "stale-rollouts";

    /// <inheritdoc/>
    public override string Advice =>
        "Check that the source has loaded the weights that it was given and draws with them, that its model is the policy's, and that its "
        + "log-probs are of the temperature that was asked for. Where the gap is its arithmetic (few bits), raise Staleness.MaximumGap and "
        + "correct for it (GrpoOptions.Correction).";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        if (!course[Metric].Recent(1).Any(last => last.Step == course.Step && last.Value > 0))
            return null;
        var gap = course["rollout/gap"].Recent(1).Select(last => last.Value).FirstOrDefault();
        return new Finding(
            gap,
            $"The completions of the step are stale: log-probs of source and policy differ by {Number(gap)} per token."
        );
    }
}
