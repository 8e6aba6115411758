namespace PostTrain.Rewards;

/// <summary>Calls rewards and validates their results.</summary>
public static class Scoring
{
    /// <summary>Scores completions and checks the result: one finite value per completion, and as many for each component, NaN if not
    /// applicable.</summary>
    /// <param name="reward">The reward.</param>
    /// <param name="completions">The completions to score.</param>
    /// <param name="context">The training progress; null means <see cref="RewardContext.None"/>.</param>
    /// <param name="cancellation">Cancels the scoring at once. A call that ignores it is abandoned on the thread pool and its result
    /// dropped.</param>
    /// <exception cref="InvalidOperationException">The reward returned null, a wrong count, NaN or an infinity; the message names the
    /// reward, the completion's index, the value and what was expected.</exception>
    public static async ValueTask<RewardScores> ScoreCheckedAsync(
        IReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext? context = null,
        CancellationToken cancellation = default
    )
    {
        var scores = await Patience
            .UntilAsync(() => ScorePartAsync(reward, completions, context ?? RewardContext.None, cancellation).AsTask(), cancellation)
            .ConfigureAwait(false);
        Check(scores.Values, completions.Count, $"reward '{reward.Name}'", mayBeAbsent: false);
        return scores;
    }

    /// <summary>Scores completions with a part of another reward, whose values may be NaN.</summary>
    internal static async ValueTask<RewardScores> ScorePartAsync(
        IReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(completions);
        cancellation.ThrowIfCancellationRequested();
        var scores =
            await reward.ScoreAsync(completions, context, cancellation).ConfigureAwait(false)
            ?? throw new InvalidOperationException($"reward '{reward.Name}' returned null, expected {completions.Count} scores");
        Check(scores.Values, completions.Count, $"reward '{reward.Name}'", mayBeAbsent: true);
        if (scores.Components is null)
            throw new InvalidOperationException(
                $"reward '{reward.Name}' returned null components, expected a dictionary (empty if there are no parts)"
            );
        foreach (var (name, values) in scores.Components)
            Check(values, completions.Count, $"reward '{reward.Name}', component '{name}',", mayBeAbsent: true);
        return scores;
    }

    private static void Check(double[]? values, int count, string who, bool mayBeAbsent)
    {
        if (values is null)
            throw new InvalidOperationException($"{who} returned null, expected {count} values, one for each completion");
        if (values.Length != count)
            throw new InvalidOperationException($"{who} returned {values.Length} values, expected {count}, one for each completion");
        for (var i = 0; i < count; i++)
        {
            if (!double.IsFinite(values[i]) && !(mayBeAbsent && double.IsNaN(values[i])))
                throw new InvalidOperationException(
                    FormattableString.Invariant($"{who} returned {values[i]} for completion {i}, expected a finite number")
                );
        }
    }
}
