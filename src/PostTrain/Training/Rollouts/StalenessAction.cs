namespace PostTrain.Training;

/// <summary>Action on stale completions of a rollout source.</summary>
public enum StalenessAction
{
    /// <summary>An <see cref="InvalidOperationException"/> before the step's first update.</summary>
    Throw,

    /// <summary>The step is taken, and its report has the metric <c>rollout/stale</c> = 1, for which
    /// <see cref="Diagnostics.TrainingDiagnostics"/> raises a warning.</summary>
    Report,
}
