namespace PostTrain.Training.Diagnostics;

/// <summary>A single completion or token was standardised, so that its advantage is 0 whatever its reward.</summary>
public sealed record ZeroAdvantages : DiagnosticRule
{
    /// <summary>1 in a step where that was so, absent in others.</summary>
    internal const string Metric = "policy/zero_advantages";

    /// <inheritdoc/>
    public override string Name => "zero-advantages";

    /// <inheritdoc/>
    public override string Advice =>
        "REINFORCE++ and whitening subtract the mean of the batch, which of one value is the value itself. Give a step more problems, larger "
        + "groups or longer completions, or take a method that compares with nothing (PolicyObjectives.Reinforce, WhitenAdvantages = false).";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course[Metric].Recent(1).Any(last => last.Step == course.Step && last.Value > 0)
            ? new Finding(
                1,
                "The step had a single completion or token to standardise over, and every advantage was 0: its reward taught nothing."
            )
            : null;
    }
}
