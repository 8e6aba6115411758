namespace PostTrain.Rewards;

/// <summary>Scores all completions together with an asynchronous function of the list.</summary>
internal sealed class ListReward : IReward
{
    private readonly Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<double[]>> score;

    internal ListReward(string name, Func<IReadOnlyList<Completion>, RewardContext, CancellationToken, ValueTask<double[]>> score)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        this.score = score;
    }

    public string Name { get; }

    public async ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(completions);
        cancellation.ThrowIfCancellationRequested();
        return RewardScores.Of(Name, await score(completions, context, cancellation).ConfigureAwait(false));
    }

    /// <summary>Creates a reward from a function of one group that returns one value per completion.</summary>
    internal static ListReward OfGroups(string name, Func<Completion[], double[]> score) =>
        new(
            name,
            (completions, _, cancellation) =>
            {
                var values = new double[completions.Count];
                foreach (var group in CompletionGroups.Of(completions))
                {
                    cancellation.ThrowIfCancellationRequested();
                    var scores = score([.. group.Select(i => completions[i])]);
                    for (var k = 0; k < group.Length; k++)
                        values[group[k]] = scores[k];
                }

                return ValueTask.FromResult(values);
            }
        );
}
