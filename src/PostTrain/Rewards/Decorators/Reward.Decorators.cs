using PostTrain.Data;
using PostTrain.Numerics;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>Throws a <see cref="TimeoutException"/> that names the reward if a call takes longer than the limit.</summary>
    /// <remarks>The call runs on the thread pool and is cancelled at the limit. A call that ignores cancellation continues in the
    /// background and its result is dropped, so such a reward must not hold anything that cannot be used concurrently.</remarks>
    /// <param name="reward">The reward to limit.</param>
    /// <param name="limit">Above 0, per call; that is, per batch inside <see cref="Batched"/>.</param>
    /// <param name="time">The clock; null for the system's.</param>
    public static IReward WithTimeout(this IReward reward, TimeSpan limit, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        if (limit <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(limit), limit, "limit must be above 0");
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
                await TimeLimit
                    .WithinAsync(
                        token => reward.ScoreAsync(completions, context, token).AsTask(),
                        $"reward '{reward.Name}'",
                        limit,
                        time ?? TimeProvider.System,
                        cancellation
                    )
                    .ConfigureAwait(false)
        );
    }

    /// <summary>Calls the reward again if it throws; the last exception reaches the caller.</summary>
    /// <remarks>An <see cref="ArgumentException"/>, a <see cref="NotSupportedException"/> and the caller's cancellation are not retried.
    /// Put a time limit inside: <c>reward.WithTimeout(…).WithRetries()</c> limits each attempt.</remarks>
    /// <param name="reward">The reward to retry.</param>
    /// <param name="options">Attempts and waits; null for the defaults.</param>
    /// <param name="time">The clock; null for the system's.</param>
    public static IReward WithRetries(this IReward reward, RetryOptions? options = null, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        var checkedOptions = (options ?? new RetryOptions()).Validated();
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
                await Patience
                    .RepeatedAsync(
                        token => reward.ScoreAsync(completions, context, token).AsTask(),
                        checkedOptions,
                        time ?? TimeProvider.System,
                        cancellation
                    )
                    .ConfigureAwait(false)
        );
    }

    /// <summary>Calls the reward with parts of the list, several concurrently. Scores are returned in the order of the
    /// completions.</summary>
    /// <remarks>The first call that throws cancels the others. The completions of a group are always in one call. A component that only
    /// some parts have is not applicable (NaN) in the others.</remarks>
    /// <param name="reward">The reward to call.</param>
    /// <param name="options">Batch size and parallelism; null for the defaults.</param>
    public static IReward Batched(this IReward reward, BatchOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        var checkedOptions = (options ?? new BatchOptions()).Validated();
        return new RewardDecorator(
            reward,
            (completions, context, cancellation) => RewardBatches.ScoreAsync(reward, completions, context, checkedOptions, cancellation)
        );
    }

    /// <summary>Gives NaN ("not applicable") for every completion of a call that throws, except on the caller's cancellation.</summary>
    /// <remarks>For judges that may be unavailable: training continues with the other parts. Inside <see cref="Batched"/> only the failed
    /// batch is left out.</remarks>
    /// <param name="reward">The reward that may fail.</param>
    /// <param name="failed">Receives each failure; null for none.</param>
    public static IReward OrNotApplicable(this IReward reward, IProgress<Exception>? failed = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
            {
                try
                {
                    return await Scoring.ScorePartAsync(reward, completions, context, cancellation).ConfigureAwait(false);
                }
                catch (Exception exception) when (!cancellation.IsCancellationRequested)
                {
                    failed?.Report(exception);
                    var values = new double[completions.Count];
                    Array.Fill(values, double.NaN);
                    return RewardScores.Of(reward.Name, values);
                }
            }
        );
    }

    /// <summary>Replaces "not applicable" (NaN) by a value.</summary>
    /// <param name="reward">A reward that may give NaN.</param>
    /// <param name="value">Finite.</param>
    public static IReward OrElse(this IReward reward, double value) =>
        Map(reward, (score, _) => double.IsNaN(score) ? value : score, value);

    /// <summary>Multiplies the reward by a factor that depends on the training progress: r·f(context).</summary>
    /// <param name="reward">The reward to scale.</param>
    /// <param name="factor">The factor, for example <c>context => 1 - context.Progress ?? 1</c>, which fades a bonus out.</param>
    public static IReward Scheduled(this IReward reward, Func<RewardContext, double> factor)
    {
        ArgumentNullException.ThrowIfNull(factor);
        return Map(reward, (score, context) => score * factor(context), 0);
    }

    /// <summary>Clips the reward to a range.</summary>
    /// <param name="reward">The reward to clip; an infinity is an error.</param>
    /// <param name="minimum">The smallest value.</param>
    /// <param name="maximum">The largest value, at least <paramref name="minimum"/>.</param>
    public static IReward Clipped(this IReward reward, double minimum, double maximum)
    {
        if (!(minimum <= maximum))
            throw new ArgumentOutOfRangeException(
                nameof(maximum),
                maximum,
                FormattableString.Invariant($"maximum must be at least minimum, {minimum}")
            );
        return Map(reward, (score, _) => Math.Clamp(score, minimum, maximum), 0);
    }

    /// <summary>Normalises the reward over each group, (r − mean)/(std + ε), to add parts of different scales (GDPO,
    /// arXiv:2601.05242).</summary>
    /// <remarks>std divides by n − 1, as in the advantages. A group with one applicable value, or with equal values, gives 0. Values that
    /// are not applicable are skipped and stay so. The components under the reward's name are the raw values. Range: within ±(n − 1)/√n for
    /// n values.</remarks>
    /// <param name="reward">The reward to normalise.</param>
    /// <param name="epsilon">ε, at least 0; 1e-4 by default.</param>
    public static IReward GroupNormalized(this IReward reward, double epsilon = 1e-4)
    {
        ArgumentNullException.ThrowIfNull(reward);
        Guard.NotNegative(epsilon, nameof(epsilon));
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
            {
                var scores = await Scoring.ScorePartAsync(reward, completions, context, cancellation).ConfigureAwait(false);
                var values = (double[])scores.Values.Clone();
                foreach (var group in CompletionGroups.Of(completions))
                    GroupStatistics.Normalize(values, group, epsilon);
                return new RewardScores(
                    values,
                    new Dictionary<string, double[]>(scores.Components, StringComparer.Ordinal) { ["raw"] = scores.Values }
                );
            }
        );
    }

    private static RewardDecorator Map(IReward reward, Func<double, RewardContext, double> map, double finite)
    {
        ArgumentNullException.ThrowIfNull(reward);
        if (!double.IsFinite(finite))
            throw new ArgumentOutOfRangeException(nameof(finite), finite, "value must be a finite number");
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
            {
                var scores = await Scoring.ScorePartAsync(reward, completions, context, cancellation).ConfigureAwait(false);
                return scores with { Values = [.. scores.Values.Select(value => map(value, context))] };
            }
        );
    }
}
