namespace PostTrain.Rewards;

/// <summary>Scores completions. Trainers call it through <see cref="Scoring.ScoreCheckedAsync"/>.</summary>
/// <remarks>A value of NaN means "not applicable": <see cref="Reward.Weighted(ValueTuple{double, IReward}[])"/> leaves it out, and a
/// trainer refuses it as the whole reward of a completion. An infinity is always an error. A reward is called for one list at a time by a
/// trainer, for several at once below <see cref="Reward.Batched"/>.</remarks>
public interface IReward
{
    /// <summary>The name in the log (<c>reward/&lt;name&gt;</c>) and in error messages.</summary>
    string Name { get; }

    /// <summary>The score of each completion.</summary>
    /// <param name="completions">What to score. Rewards that compare completions take those of one <see cref="CompletionGroups">group</see>
    /// together, which are those with equal problems, wherever in the list they stand.</param>
    /// <param name="context">How far the training is.</param>
    /// <param name="cancellation">Ends the scoring with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
