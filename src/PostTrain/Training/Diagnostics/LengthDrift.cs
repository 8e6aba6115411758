namespace PostTrain.Training.Diagnostics;

/// <summary>Completions become much longer or shorter than they were: the commonest way to please a reward without being better.</summary>
public sealed record LengthDrift : DiagnosticRule
{
    /// <summary>How many times longer, or shorter, than at the beginning; above 1.</summary>
    /// <value>The default is 1.5.</value>
    public double Factor { get; init; } = 1.5;

    /// <summary>A change of fewer tokens is none.</summary>
    /// <value>The default is 4.</value>
    public double Tokens { get; init; } = 4;

    /// <summary>Steps that are averaged, at the beginning and lately, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <inheritdoc/>
    public override string Name => "length-drift";

    /// <inheritdoc/>
    public override string Advice =>
        "Read completions of both times. Where the length itself is paid, by a reward model or by a sum over tokens, take it out of the reward (length penalty, soft overlong punishment, Dr. GRPO's aggregation) and judge the "
        + "policy on held-out problems. Where longer work is better work, nothing is wrong.";

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
        string cut = finished.RecentMean(Window) is { } share && share < 0.9 ? $"; {Percent(1 - share)} are cut off by the limit" : "";
        return new Finding(
            recent,
            $"Completions have {Number(recent)} tokens, {Number(recent / first)} times the {Number(first)} at the beginning{cut}."
        );
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Factor, 1, nameof(Factor));
    }
}
