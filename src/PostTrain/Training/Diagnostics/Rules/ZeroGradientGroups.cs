namespace PostTrain.Training.Diagnostics;

/// <summary>Most groups have equal rewards and therefore no gradient, so most sampled completions are wasted.</summary>
/// <remarks>With success rate p and group size G the expected share is p^G + (1 - p)^G.</remarks>
public sealed record ZeroGradientGroups : DiagnosticRule
{
    /// <summary>Share of groups without a gradient that raises the warning, above 0.</summary>
    /// <value>The default is 0.8.</value>
    public double Share { get; init; } = 0.8;

    /// <summary>Steps in the average, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "zero-gradient-groups";

    /// <inheritdoc/>
    public override string Advice =>
        "Use problems of medium difficulty (filter by pass rate), larger groups, dynamic sampling, or a reward with partial credit. "
        + "If the task is solved, stop training here.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course["reward/zero_groups"].RecentMean(Window) is { } share && share >= Share
            ? new Finding(
                share,
                $"{Percent(share)} of the groups of the last {Window} steps have equal rewards; the mean reward is "
                    + $"{Number(course["reward/mean"].RecentMean(Window) ?? double.NaN)}."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Share, 0, nameof(Share));
    }
}
