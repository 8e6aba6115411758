namespace PostTrain.Rewards;

/// <summary>A reward that wraps another one and keeps its name.</summary>
internal sealed class RewardDecorator : IReward
{
    private readonly Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<RewardScores>> score;

    internal RewardDecorator(
        IReward inner,
        Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<RewardScores>> score
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(inner.Name);
        Name = inner.Name;
        this.score = score;
    }

    public string Name { get; }

    public ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    ) => score(completions, context, cancellation);
}
