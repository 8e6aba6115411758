namespace PostTrain.Rewards.Steps;

/// <summary>A token reward from a function.</summary>
internal sealed class FunctionTokenReward(
    string name,
    Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score
) : ITokenReward
{
    public string Name { get; } = name;

    public ValueTask<IReadOnlyList<double[]>> ScoreTokensAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    ) => score(completions, context, cancellation);
}
