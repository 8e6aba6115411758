using PostTrain.Rewards;
using PostTrain.Rollouts;

namespace PostTrain.Training;

/// <summary>Completions of a step and what was said of them; the groups stand one after another.</summary>
internal class Experience(RolloutBatch rollouts, IReadOnlyList<Completion> completions, RewardScores scores) : IDisposable
{
    internal RolloutBatch Rollouts { get; } = rollouts;

    internal IReadOnlyList<Completion> Completions { get; } = completions;

    internal RewardScores Scores { get; } = scores;

    /// <summary>Rewards of each completion's tokens, where the trainer takes any.</summary>
    internal IReadOnlyList<double[]>? TokenRewards { get; set; }

    public virtual void Dispose() => Rollouts.Dispose();
}
