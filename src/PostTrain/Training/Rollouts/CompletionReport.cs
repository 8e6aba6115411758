using PostTrain.Rewards;

namespace PostTrain.Training;

/// <summary>The completions of a training step.</summary>
/// <param name="Step">Number of the step.</param>
/// <param name="Completions">Completions of the policy.</param>
/// <param name="Scores">Their rewards, in the same order.</param>
public sealed record CompletionReport(long Step, IReadOnlyList<Completion> Completions, RewardScores Scores);
