using PostTrain.Refinement;
using PostTrain.Rewards;

namespace PostTrain.Tests.Refinement;

/// <summary>A refiner that is a function of the request; null is a revision that cannot be asked for.</summary>
internal sealed class FunctionRefiner(Func<DraftRequest, string?> write) : IRefiner
{
    /// <summary>What it was asked, a list a call.</summary>
    internal List<IReadOnlyList<DraftRequest>> Calls { get; } = [];

    public ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default)
    {
        Calls.Add(requests);
        var drafts = new Draft?[requests.Count];
        for (int i = 0; i < drafts.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            drafts[i] = write(requests[i]) is { } text
                ? new Draft(
                    $"{requests[i].Problem.Prompt}|{requests[i].Earlier?.Text}",
                    new Completion(requests[i].Problem, text, [], true)
                )
                : null;
        }
        return ValueTask.FromResult<IReadOnlyList<Draft?>>(drafts);
    }
}
