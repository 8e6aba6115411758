namespace PostTrain.Training.Diagnostics;

/// <summary>The first step has a learning rate of 0, as warm-up begins.</summary>
public sealed record LearningRateWarmup : DiagnosticRule
{
    /// <inheritdoc/>
    public override string Name => "learning-rate-warm-up";

    /// <inheritdoc/>
    public override string Advice => "This is how warm-up begins everywhere in this field: the first step changes no weight, the next ones do. Nothing is to be done.";

    /// <inheritdoc/>
    public override DiagnosticLevel Level => DiagnosticLevel.Note;

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var rate = course["learning_rate"];
        return rate.Count == 1 && rate.Last == 0 ? new Finding(0, "The learning rate of the first step is 0.") : null;
    }
}
