namespace PostTrain.Training.Diagnostics;

/// <summary>No completion ends within its limit of tokens, for several steps in a row.</summary>
public sealed record UnfinishedCompletions : DiagnosticRule
{
    /// <summary>Consecutive reports that raise the warning, 1 to 128.</summary>
    /// <value>The default is 3.</value>
    public int Steps { get; init; } = 3;

    /// <inheritdoc/>
    public override string Name => "unfinished-completions";

    /// <inheritdoc/>
    public override string Advice =>
        "Every completion is cut at Sampling.MaxNewTokens. Read some: if they are whole answers that run on, the model has not learnt to "
        + "stop, or its end token is not among Sampling.StopTokens; if they are cut short, raise the limit.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        var length = course["completion/length"];
        return length.Count > 0 && course["completion/finished"].RecentAll(Steps, share => share <= 0)
            ? new Finding(
                length.Last,
                $"In the last {Steps} steps no completion ended within the limit; their mean length is {Number(length.Last)} tokens."
            )
            : null;
    }

    internal override void Validate() => CheckWindow(Steps, nameof(Steps));
}
