namespace PostTrain.Rewards;

/// <summary>Calls rewards and refuses what no gradient may see.</summary>
public static class Scoring
{
    /// <summary>Scores completions and checks the result: one finite value for each completion, and the same of each component.</summary>
    /// <exception cref="InvalidOperationException">The reward returned null, a wrong count, NaN or an infinity; the message names the
    /// reward, the completion's index, the value and what was expected.</exception>
    public static async ValueTask<RewardScores> ScoreCheckedAsync(
        IReward reward, IReadOnlyList<Completion> completions, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(completions);
        cancellation.ThrowIfCancellationRequested();
        var scores = await reward.ScoreAsync(completions, cancellation).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"reward '{reward.Name}' returned null, expected {completions.Count} scores");
        Check(scores.Values, completions.Count, $"reward '{reward.Name}'");
        if (scores.Components is null)
            throw new InvalidOperationException(
                $"reward '{reward.Name}' returned null components, expected a dictionary (empty where there are no parts)");
        foreach (var (name, values) in scores.Components)
            Check(values, completions.Count, $"reward '{reward.Name}', component '{name}',");
        return scores;
    }

    private static void Check(double[]? values, int count, string who)
    {
        if (values is null)
            throw new InvalidOperationException($"{who} returned null, expected {count} values, one for each completion");
        if (values.Length != count)
            throw new InvalidOperationException($"{who} returned {values.Length} values, expected {count}, one for each completion");
        for (var i = 0; i < count; i++)
        {
            if (!double.IsFinite(values[i]))
                throw new InvalidOperationException(
                    FormattableString.Invariant($"{who} returned {values[i]} for completion {i}, expected a finite number"));
        }
    }
}
