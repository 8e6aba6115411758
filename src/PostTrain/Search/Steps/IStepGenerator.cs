namespace PostTrain.Search;

/// <summary>Continues partial solutions by a step: a model, a service, a table (<see cref="StepGenerator"/>), or a program.</summary>
public interface IStepGenerator
{
    /// <summary>One step for each request, in their order. A search asks for all branches of a round at once.</summary>
    /// <param name="requests">At least one.</param>
    /// <param name="cancellation">Ends the work with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(IReadOnlyList<StepRequest> requests, CancellationToken cancellation = default);
}
