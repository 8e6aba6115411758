namespace PostTrain.Training.Diagnostics;

/// <summary>The policy has become sure of itself: it draws the same completions again and again and explores no more.</summary>
public sealed record EntropyCollapse : DiagnosticRule
{
    /// <summary>The share of the first entropy that is left, above 0.</summary>
    /// <value>The default is 0.2.</value>
    public double Share { get; init; } = 0.2;

    /// <summary>Steps that are averaged, at the beginning and lately, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <summary>A run that begins below this, in nats per token, was sure from the start.</summary>
    /// <value>The default is 0.02.</value>
    public double Least { get; init; } = 0.02;

    /// <inheritdoc/>
    public override string Name => "entropy-collapse";

    /// <inheritdoc/>
    public override string Advice =>
        "Where the reward is at its ceiling this is the end of learning. Otherwise raise the upper clip bound (clip-higher), add an entropy bonus, raise the sampling temperature or the KL weight, or lower the learning rate.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var entropy = course["entropy"];
        return
            entropy.Count >= 2 * Window
            && entropy.FirstMean(Window) is { } first
            && entropy.RecentMean(Window) is { } recent
            && first >= Least
            && recent < Share * first
            ? new Finding(
                recent,
                $"The entropy is {Number(recent)} nats per token, {Percent(recent / first)} of the {Number(first)} at the beginning."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Share, 0, nameof(Share));
    }
}
