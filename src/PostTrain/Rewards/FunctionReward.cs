namespace PostTrain.Rewards;

/// <summary>Scores each completion by itself, with a function of the completion and its index.</summary>
internal sealed class FunctionReward : IReward
{
    private readonly Func<Completion, int, double> score;

    internal FunctionReward(string name, Func<Completion, int, double> score)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        this.score = score;
    }

    public string Name { get; }

    public ValueTask<RewardScores> ScoreAsync(IReadOnlyList<Completion> completions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(completions);
        var values = new double[completions.Count];
        for (var i = 0; i < values.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            values[i] = score(completions[i], i);
        }

        return ValueTask.FromResult(new RewardScores(values, new Dictionary<string, double[]> { [Name] = values }));
    }
}
