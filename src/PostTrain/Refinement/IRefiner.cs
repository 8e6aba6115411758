using PostTrain.Refinement.Writing;

namespace PostTrain.Refinement;

/// <summary>Writes first attempts and revises them: <see cref="ModelRefiner"/>, <see cref="TextRefiner"/>, or a program.</summary>
public interface IRefiner
{
    /// <summary>Writes a text for every request.</summary>
    /// <param name="requests">At least one.</param>
    /// <param name="cancellation">Ends the writing with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>One for each, in their order; null for a revision that cannot be asked for, such as one whose prompt is longer than the
    /// model's context. A first attempt is never null.</returns>
    ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default);
}
