namespace PostTrain.Rewards;

/// <summary>Scores completions. Trainers call it through <see cref="Scoring.ScoreCheckedAsync"/>.</summary>
/// <remarks>NaN means "not applicable": <see cref="Reward.Weighted(ValueTuple{double, IReward}[])"/> leaves it out, and a trainer rejects
/// it as the total reward of a completion. An infinity is always an error. A trainer makes one call at a time; <see cref="Reward.Batched"/>
/// makes several concurrently.</remarks>
public interface IReward
{
    /// <summary>The name in the log (<c>reward/&lt;name&gt;</c>) and in error messages.</summary>
    string Name { get; }

    /// <summary>Scores each completion.</summary>
    /// <param name="completions">The completions to score. Rewards that compare completions compare those of one <see
    /// cref="CompletionGroups">group</see>, that is, with equal problems, wherever they are in the list.</param>
    /// <param name="context">The training progress.</param>
    /// <param name="cancellation">Cancels the scoring with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
