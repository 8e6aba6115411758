using PostTrain.Rewards;

namespace PostTrain.Training;

/// <summary>The completions that a step learnt from.</summary>
/// <param name="Step">The number of the step.</param>
/// <param name="Completions">What the policy answered.</param>
/// <param name="Scores">What the reward said of it, in the same order.</param>
public sealed record CompletionReport(long Step, IReadOnlyList<Completion> Completions, RewardScores Scores);
