namespace PostTrain.Rewards;

/// <summary>Scores completions. Trainers call it through <see cref="Scoring.ScoreCheckedAsync"/>.</summary>
public interface IReward
{
    /// <summary>The name in the log (<c>reward/&lt;name&gt;</c>) and in error messages.</summary>
    string Name { get; }

    /// <summary>The score of each completion, one finite number each.</summary>
    /// <param name="completions">What to score; a group's completions are neighbours.</param>
    /// <param name="cancellation">Ends the scoring with an <see cref="OperationCanceledException"/>.</param>
    ValueTask<RewardScores> ScoreAsync(IReadOnlyList<Completion> completions, CancellationToken cancellation = default);
}
