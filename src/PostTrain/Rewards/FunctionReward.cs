namespace PostTrain.Rewards;

/// <summary>Scores each completion separately with a function of the completion, its index and the training progress.</summary>
internal sealed class FunctionReward : IReward
{
    private readonly Func<Completion, int, RewardContext, double> score;

    internal FunctionReward(string name, Func<Completion, int, double> score)
        : this(name, (completion, index, _) => score(completion, index)) { }

    internal FunctionReward(string name, Func<Completion, int, RewardContext, double> score)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        this.score = score;
    }

    public string Name { get; }

    public ValueTask<RewardScores> ScoreAsync(
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(completions);
        var values = new double[completions.Count];
        for (var i = 0; i < values.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            values[i] = score(completions[i], i, context);
        }

        return ValueTask.FromResult(RewardScores.Of(Name, values));
    }
}
