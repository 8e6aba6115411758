using PostTrain.Rewards;
using PostTrain.Rollouts;

namespace PostTrain.Training;

/// <summary>Completions of one draw with their rewards; groups of a prompt stand one after another.</summary>
/// <param name="Rollouts">Token ids, masks and log-probs. The step owns and disposes them: see <see cref="RolloutStep"/>.</param>
/// <param name="Prompts">Prompt of each completion.</param>
/// <param name="Completions">Decoded completions, one a row.</param>
/// <param name="Scores">Reward of each completion.</param>
public sealed record JudgedRollouts(
    RolloutBatch Rollouts,
    IReadOnlyList<TokenizedPrompt> Prompts,
    IReadOnlyList<Completion> Completions,
    RewardScores Scores
)
{
    /// <summary>Rewards of the tokens of each completion; null where the trainer asked for none.</summary>
    public IReadOnlyList<double[]>? TokenRewards { get; init; }
}
