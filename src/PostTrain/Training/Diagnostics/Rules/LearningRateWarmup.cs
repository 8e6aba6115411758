namespace PostTrain.Training.Diagnostics;

/// <summary>The second step repeats the loss of the first because warm-up starts with a learning rate of 0.</summary>
/// <remarks>Applies only if both steps use the same data. Not reported for runs with rewards.</remarks>
public sealed record LearningRateWarmup : DiagnosticRule
{
    /// <summary>Largest relative difference of two losses that count as equal, above 0.</summary>
    /// <value>The default is 1e-6, which allows for a different order of summation.</value>
    public double Tolerance { get; init; } = 1e-6;

    /// <inheritdoc/>
    public override string Name => "learning-rate-warm-up";

    /// <inheritdoc/>
    public override string Advice =>
        "This is normal: with warm-up the first step changes no weights, the following ones do. No action is needed.";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var (rate, loss) = (course["learning_rate"], course["loss"]);
        if (course.HasReward || rate.Count != 2 || loss.Count != 2 || rate.FirstMean(1) != 0 || rate.Last == 0)
            return null;
        double first = loss.FirstMean(1)!.Value;
        return Math.Abs(loss.Last - first) <= Tolerance * Math.Abs(first)
            ? new Finding(loss.Last, $"The loss is {Number(loss.Last)}, the same as at the first step, whose learning rate was 0.")
            : null;
    }

    internal override void Validate() => CheckAbove(Tolerance, 0, nameof(Tolerance));
}
