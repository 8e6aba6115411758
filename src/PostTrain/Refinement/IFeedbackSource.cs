using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>Says of attempts how good they are, and in words what to mend: a verifier, a tool, another model, or the model itself.
/// <see cref="FeedbackSources"/> makes them.</summary>
public interface IFeedbackSource
{
    /// <summary>Judges attempts.</summary>
    /// <param name="attempts">Texts with the problems that they answer, in no special order; at least one.</param>
    /// <param name="cancellation">Ends the judging with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>One for each, in their order.</returns>
    ValueTask<IReadOnlyList<Feedback>> JudgeAsync(IReadOnlyList<Completion> attempts, CancellationToken cancellation = default);
}
