namespace PostTrain.Rewards.Steps;

/// <summary>A step reward from a function of the list; the result is checked.</summary>
internal sealed class FunctionStepReward : IStepReward
{
    private readonly Func<IReadOnlyList<SteppedCompletion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score;

    internal FunctionStepReward(
        string name,
        Func<IReadOnlyList<SteppedCompletion>, RewardContext, CancellationToken, ValueTask<IReadOnlyList<double[]>>> score
    )
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Name = name;
        this.score = score;
    }

    public string Name { get; }

    public async ValueTask<IReadOnlyList<double[]>> ScoreStepsAsync(
        IReadOnlyList<SteppedCompletion> completions,
        RewardContext context,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(completions);
        cancellation.ThrowIfCancellationRequested();
        var scores = await score(completions, context, cancellation).ConfigureAwait(false);
        if (scores is null || scores.Count != completions.Count)
            throw new InvalidOperationException(
                $"step reward '{Name}' returned {scores?.Count ?? 0} lists of scores, expected {completions.Count}, one for each completion"
            );
        for (var i = 0; i < scores.Count; i++)
        {
            if (scores[i] is null || scores[i].Length != completions[i].Steps.Count)
                throw new InvalidOperationException(
                    $"step reward '{Name}' returned {scores[i]?.Length ?? 0} scores for completion {i}, "
                        + $"expected {completions[i].Steps.Count}, one for each step"
                );
            if (Array.Exists(scores[i], double.IsInfinity))
                throw new InvalidOperationException(
                    $"step reward '{Name}' returned an infinity for completion {i}, expected finite numbers or NaN"
                );
        }

        return scores;
    }
}
