namespace PostTrain.Training.Diagnostics;

/// <summary>The policy has become nearly deterministic: it repeats the same completions and no longer explores.</summary>
public sealed record EntropyCollapse : DiagnosticRule
{
    /// <summary>Entropy below this share of its starting value raises the warning, above 0.</summary>
    /// <value>The default is 0.2.</value>
    public double Share { get; init; } = 0.2;

    /// <summary>Steps in each average, at the start and at the end of the run so far, 1 to 128.</summary>
    /// <value>The default is 8.</value>
    public int Window { get; init; } = 8;

    /// <summary>Smallest starting entropy, in nats per token. A run that starts below it is not examined.</summary>
    /// <value>The default is 0.02.</value>
    public double Least { get; init; } = 0.02;

    /// <inheritdoc/>
    public override string Name => "entropy-collapse";

    /// <inheritdoc/>
    public override string Advice =>
        "If the reward is at its maximum, learning is complete. Otherwise raise the upper clip bound (clip-higher), add an entropy "
        + "bonus, raise the sampling temperature or the KL weight, or lower the learning rate.";

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
                $"The entropy is {Number(recent)} nats per token, {Percent(recent / first)} of its starting value {Number(first)}."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckAbove(Share, 0, nameof(Share));
    }
}
