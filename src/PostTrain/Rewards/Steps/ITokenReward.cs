namespace PostTrain.Rewards.Steps;

/// <summary>Rewards single tokens of completions, beside the reward of the whole: what a trainer with a critic can place in time.</summary>
public interface ITokenReward
{
    /// <summary>The name in the log (<c>reward/&lt;name&gt;</c>, the mean of a completion's sum) and in error messages.</summary>
    string Name { get; }

    /// <summary>One finite number for each of <see cref="Completion.Tokens"/> of each completion, a stop token included.</summary>
    /// <param name="completions">What to score.</param>
    /// <param name="context">How far the training is.</param>
    /// <param name="cancellation">Ends the scoring.</param>
    ValueTask<IReadOnlyList<double[]>> ScoreTokensAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    );
}
