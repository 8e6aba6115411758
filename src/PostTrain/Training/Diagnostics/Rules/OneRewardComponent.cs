namespace PostTrain.Training.Diagnostics;

/// <summary>A single component accounts for the rise of the reward.</summary>
public sealed record OneRewardComponent : DiagnosticRule
{
    /// <summary>Share of one component in the sum of all rises that raises the warning, above 0.</summary>
    /// <value>The default is 0.9.</value>
    public double Share { get; init; } = 0.9;

    /// <summary>Smallest rise of the reward that is examined, as a share of its starting size (mean plus standard deviation), above
    /// 0.</summary>
    /// <value>The default is 0.1.</value>
    public double Rise { get; init; } = 0.1;

    /// <summary>Steps in each average, at the start and at the end of the run so far, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <summary>Weight of each component in the reward, by name. A component that is not named has weight 1.</summary>
    /// <value>The default is empty. Components are logged before they are weighted.</value>
    public IReadOnlyDictionary<string, double> Weights { get; init; } = new Dictionary<string, double>();

    /// <inheritdoc/>
    public override string Name => "one-reward-component";

    /// <inheritdoc/>
    public override string Advice =>
        "Check that this component is the one that matters. If it measures format, length or style, lower its weight, cap it, or grant it "
        + "only with a correct answer. Normalise components before adding them.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var (mean, std) = (course["reward/mean"], course["reward/std"]);
        if (
            !course.HasReward
            || mean.Count < 2 * Window
            || mean.FirstMean(Window) is not { } first
            || mean.RecentMean(Window) is not { } recent
        )
            return null;
        if (recent - first < Rise * (Math.Abs(first) + (std.FirstMean(Window) ?? 0)) || recent == first)
            return null;
        (string Name, double Rise)[] rises =
        [
            .. course
                .Metrics.Where(IsComponent)
                .Order(StringComparer.Ordinal)
                .Select(name => (Component(name), Change(course[name]) * Weights.GetValueOrDefault(Component(name), 1))),
        ];
        double all = rises.Sum(component => Math.Max(0, component.Rise));
        if (rises.Length < 2 || all <= 0)
            return null;
        var (largest, rise) = rises.MaxBy(component => component.Rise);
        return rise >= Share * all
            ? new Finding(
                rise / all,
                $"The reward rose from {Number(first)} to {Number(recent)}; "
                    + $"its component '{largest}' accounts for {Percent(rise / all)} of the rise."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Share, 0, nameof(Share));
        CheckAbove(Rise, 0, nameof(Rise));
    }

    private double Change(MetricCourse course) =>
        course.Count >= 2 * Window ? course.RecentMean(Window)!.Value - course.FirstMean(Window)!.Value : 0;

    private static bool IsComponent(string metric) =>
        metric.StartsWith("reward/", StringComparison.Ordinal)
        && metric is not ("reward/mean" or "reward/std" or "reward/zero_groups" or "reward/greedy" or "reward/total");

    private static string Component(string metric) => metric["reward/".Length..];
}
