namespace PostTrain.Training.Diagnostics;

/// <summary>The gradient is 0, so the run learns nothing, whatever its loss.</summary>
public sealed record NoGradient : DiagnosticRule
{
    /// <summary>Consecutive reports with a gradient of 0 that raise the warning, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "no-gradient";

    /// <inheritdoc/>
    public override string Advice =>
        "The model is not learning. Possible causes: all completions of each group have the same reward (see reward/zero_groups), the mask "
        + "counts no token, every token is clipped, or the trainable parameters are not part of the loss's graph.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        if (!course["grad_norm"].RecentAll(Steps, norm => norm == 0))
            return null;
        var groups = course["reward/zero_groups"];
        string why = groups.Count > 0 ? $"; {Percent(groups.Last)} of the groups have equal rewards" : "";
        return new Finding(0, $"The gradient norm has been 0 for {Steps} steps{why}.");
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
