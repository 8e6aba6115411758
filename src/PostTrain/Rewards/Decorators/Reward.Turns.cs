namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Judges only what the policy wrote last, <see cref="Completion.LastTurn"/>: an answer that an environment gave is not the
    /// policy's.</summary>
    /// <remarks>The reward sees completions with this text and without turns; their tokens stay those of the whole completion.</remarks>
    /// <param name="reward">The reward of the last turn.</param>
    public static IReward OfLastTurn(this IReward reward)
    {
        ArgumentNullException.ThrowIfNull(reward);
        return new RewardDecorator(
            reward,
            (completions, context, cancellation) =>
                Scoring.ScorePartAsync(
                    reward,
                    [.. completions.Select(completion => completion with { Text = completion.LastTurn, Turns = [] })],
                    context,
                    cancellation
                )
        );
    }
}
