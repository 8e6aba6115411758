namespace PostTrain.Training.Diagnostics;

/// <summary>The gradient's norm leaves its usual size and does not come back at once.</summary>
public sealed record ExplodingGradient : DiagnosticRule
{
    /// <summary>How many times the median of the steps before, above 1.</summary>
    /// <value>The default is 10.</value>
    public double Factor { get; init; } = 10;

    /// <summary>Steps that the median is taken of, 1 to 128.</summary>
    /// <value>The default is 32.</value>
    public int Window { get; init; } = 32;

    /// <summary>Reports in a row above it, 1 to 128.</summary>
    /// <value>The default is 2: one outlier is what clipping is for.</value>
    public int Steps { get; init; } = 2;

    /// <inheritdoc/>
    public override string Name => "exploding-gradient";

    /// <inheritdoc/>
    public override string Advice =>
        "MaxGradNorm clips each step, and what is left of it points in the direction of the outliers. Lower the learning rate, lengthen the warm-up, go back to the last good checkpoint, and look at the "
        + "batches of these steps for broken examples.";

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
                $"The gradient norm is {Number(norm.Last)}, {Number(norm.Last / median)} times its median of {Number(median)} in the {Window} steps before."
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
