using PostTrain.Refinement.Writing;

namespace PostTrain.Refinement;

/// <summary>Writes first attempts and revises them: <see cref="ModelRefiner"/>, <see cref="TextRefiner"/>, or a program.</summary>
public interface IRefiner
{
    /// <summary>Writes a text for every request.</summary>
    /// <param name="requests">At least one.</param>
    /// <param name="cancellation">Cancels the writing with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>One per request, in order; null for an impossible revision, such as one whose prompt is longer than the model's context. A
    /// first attempt is never null.</returns>
    ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default);
}
