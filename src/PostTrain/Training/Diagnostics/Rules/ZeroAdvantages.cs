namespace PostTrain.Training.Diagnostics;

/// <summary>The advantage of a single completion or token was standardised, so it is 0 whatever the reward.</summary>
internal sealed record ZeroAdvantages : DiagnosticRule
{
    /// <summary>1 in a step with such an advantage, absent in others.</summary>
    internal const string Metric = "policy/zero_advantages";

    /// <inheritdoc/>
    public override string Name => "zero-advantages";

    /// <inheritdoc/>
    public override string Advice =>
        "REINFORCE++ and whitening subtract the mean of the batch; for a single value the difference is 0. Use more problems per "
        + "step, larger "
        + "groups or longer completions, or a method without a baseline (PolicyObjectives.Reinforce, WhitenAdvantages = false).";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course[Metric].Recent(1).Any(last => last.Step == course.Step && last.Value > 0)
            ? new Finding(
                1,
                "The advantages of the step were standardised over a single completion or token and are all 0, so its reward had "
                    + "no effect."
            )
            : null;
    }
}
