namespace PostTrain.Rewards.Steps;

/// <summary>Scores single tokens of completions, in addition to the reward of the whole, for trainers with a critic.</summary>
public interface ITokenReward
{
    /// <summary>The name in the log (<c>reward/&lt;name&gt;</c>, the mean of a completion's sum) and in error messages.</summary>
    string Name { get; }

    /// <summary>Returns one finite number per token of <see cref="Completion.Tokens"/> of each completion, a stop token included.</summary>
    /// <param name="completions">The completions to score.</param>
    /// <param name="context">The training progress.</param>
    /// <param name="cancellation">Cancels the scoring.</param>
    ValueTask<IReadOnlyList<double[]>> ScoreTokensAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
