namespace PostTrain.Training.Diagnostics;

/// <summary>Most groups have equal rewards and so no gradient: most of what is sampled is thrown away.</summary>
/// <remarks>With a success rate p and groups of G, the share is p^G + (1 - p)^G in expectation.</remarks>
public sealed record ZeroGradientGroups : DiagnosticRule
{
    /// <summary>The share of groups without a gradient from which on it is said, above 0.</summary>
    /// <value>The default is 0.8.</value>
    public double Share { get; init; } = 0.8;

    /// <summary>Steps that it is averaged over, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "zero-gradient-groups";

    /// <inheritdoc/>
    public override string Advice =>
        "Take problems of medium difficulty (filter by pass rate), larger groups, dynamic sampling, or a reward with partial credit. Near the end of a solved task this is the end.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course["reward/zero_groups"].RecentMean(Window) is { } share && share >= Share
            ? new Finding(
                share,
                $"{Percent(share)} of the groups of the last {Window} steps have equal rewards; the reward is {Number(course["reward/mean"].RecentMean(Window) ?? double.NaN)}."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Share, 0, nameof(Share));
    }
}
