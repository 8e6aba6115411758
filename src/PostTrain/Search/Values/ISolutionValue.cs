namespace PostTrain.Search;

/// <summary>Values of partial or whole solutions: a process or outcome reward model, a rule, agreement, an exact table
/// (<see cref="SolutionValue"/>), or a program.</summary>
public interface ISolutionValue
{
    /// <summary>For each solution the scores of its steps, first to last, or a single score of the whole.</summary>
    /// <param name="solutions">At least one, not the start.</param>
    /// <param name="cancellation">Ends the work with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<IReadOnlyList<double[]>> ScoreAsync(IReadOnlyList<PartialSolution> solutions, CancellationToken cancellation = default);
}
