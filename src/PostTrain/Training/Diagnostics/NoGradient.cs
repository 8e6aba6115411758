namespace PostTrain.Training.Diagnostics;

/// <summary>The gradient is 0: the run learns nothing, whatever its loss.</summary>
public sealed record NoGradient : DiagnosticRule
{
    /// <summary>Reports in a row without a gradient, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "no-gradient";

    /// <inheritdoc/>
    public override string Advice =>
        "It is not training. Every completion of a group may have the same reward (see reward/zero_groups), the mask may count no token, every token may be clipped, or what requires a gradient is not in the loss's graph.";

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
