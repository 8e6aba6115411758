namespace PostTrain.Training.Diagnostics;

/// <summary>The second step has the loss of the first, on the same data, because warm-up begins with a learning rate of 0.</summary>
/// <remarks>Where each step has a batch of its own, or is judged by rewards, the rate of 0 is not to be seen and nothing is said.</remarks>
public sealed record LearningRateWarmup : DiagnosticRule
{
    /// <summary>Losses are the same when they differ by no more than this share, above 0.</summary>
    /// <value>The default is 1e-6: the order of a sum.</value>
    public double Tolerance { get; init; } = 1e-6;

    /// <inheritdoc/>
    public override string Name => "learning-rate-warm-up";

    /// <inheritdoc/>
    public override string Advice =>
        "This is how warm-up begins everywhere in this field: the first step changes no weight, the next ones do. Nothing is to be done.";

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
            ? new Finding(loss.Last, $"The loss is {Number(loss.Last)} as at the first step, whose learning rate was 0.")
            : null;
    }

    internal override void Validate() => CheckAbove(Tolerance, 0, nameof(Tolerance));
}
