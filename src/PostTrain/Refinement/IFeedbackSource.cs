using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>Judges attempts with a score and feedback in words: a verifier, a tool, another model, or the model itself. <see
/// cref="FeedbackSources"/> creates them.</summary>
public interface IFeedbackSource
{
    /// <summary>Judges attempts.</summary>
    /// <param name="attempts">Attempts with their problems, in any order; at least one.</param>
    /// <param name="cancellation">Cancels the judging with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>One per attempt, in order.</returns>
    ValueTask<IReadOnlyList<Feedback>> JudgeAsync(IReadOnlyList<Completion> attempts, CancellationToken cancellation = default);
}
