namespace PostTrain.Training.Diagnostics;

/// <summary>The gradient norm is far above its usual value for several steps.</summary>
public sealed record ExplodingGradient : DiagnosticRule
{
    /// <summary>Threshold as a multiple of the median of the preceding steps, above 1.</summary>
    /// <value>The default is 10.</value>
    public double Factor { get; init; } = 10;

    /// <summary>Steps in the median, 1 to 128.</summary>
    /// <value>The default is 32.</value>
    public int Window { get; init; } = 32;

    /// <summary>Consecutive reports above the threshold that raise the warning, 1 to 128.</summary>
    /// <value>The default is 2: gradient clipping handles a single outlier.</value>
    public int Steps { get; init; } = 2;

    /// <inheritdoc/>
    public override string Name => "exploding-gradient";

    /// <inheritdoc/>
    public override string Advice =>
        "MaxGradNorm clips each step, but the clipped gradient still points in the direction of the outliers. Lower the learning rate, "
        + "lengthen the warm-up, return to the last good checkpoint, and check the batches of these steps for broken examples.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var norm = course["grad_norm"];
        if (norm.Count < Window + Steps)
            return null;
        var values = norm.Recent(Window + Steps).Select(point => point.Value).ToArray();
        double median = values[..Window].Order().ElementAt(Window / 2),
            least = values[Window..].Min();
        return median > 0 && least > Factor * median
            ? new Finding(
                norm.Last,
                $"The gradient norm is {Number(norm.Last)}, {Number(norm.Last / median)} times the median {Number(median)} of the "
                    + $"{Window} steps before."
            )
            : null;
    }

    internal override void Validate()
    {
        CheckWindow(Window, nameof(Window));
        CheckWindow(Steps, nameof(Steps));
        CheckAbove(Factor, 1, nameof(Factor));
    }
}
