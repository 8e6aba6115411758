namespace PostTrain.Training.Diagnostics;

/// <summary>Completions become much longer or shorter than at the start: a common sign of reward hacking.</summary>
public sealed record LengthDrift : DiagnosticRule
{
    /// <summary>Ratio of lengths, longer or shorter, that raises the warning; above 1.</summary>
    /// <value>The default is 1.5.</value>
    public double Factor { get; init; } = 1.5;

    /// <summary>Smallest change that counts as drift, in tokens.</summary>
    /// <value>The default is 4.</value>
    public double Tokens { get; init; } = 4;

    /// <summary>Steps in each average, at the start and at the end of the run so far, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "length-drift";

    /// <inheritdoc/>
    public override string Advice =>
        "Compare early and recent completions. If the reward favours length itself (a reward model, a sum over tokens), remove that effect "
        + "(length penalty, soft overlong punishment, Dr. GRPO's aggregation) and evaluate the policy on held-out problems. "
        + "If the task needs longer answers, no action is needed.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var length = course["completion/length"];
        if (
            length.Count < 2 * Window
            || length.FirstMean(Window) is not { } first
            || length.RecentMean(Window) is not { } recent
            || Math.Abs(recent - first) < Tokens
        )
            return null;
        if (recent < Factor * first && recent * Factor > first)
            return null;
        var finished = course["completion/finished"];
        string cut = finished.RecentMean(Window) is { } share && share < 0.9 ? $"; {Percent(1 - share)} reach the token limit" : "";
        return new Finding(
            recent,
            $"The mean completion length is {Number(recent)} tokens, {Number(recent / first)} times the initial {Number(first)}{cut}."
        );
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Factor, 1, nameof(Factor));
    }
}
