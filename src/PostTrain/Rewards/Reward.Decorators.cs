using PostTrain.Numerics;

namespace PostTrain.Rewards;

public static partial class Reward
{
    /// <summary>The reward, or a <see cref="TimeoutException"/> that names it when a call takes longer than the limit.</summary>
    /// <remarks>The call runs on the thread pool and is cancelled at the limit. One that heeds no cancellation goes on in the background,
    /// its result dropped: give such a reward nothing to hold that may not be used twice at a time.</remarks>
    /// <param name="reward">What may take long.</param>
    /// <param name="limit">Above 0, for one call, that is, for one batch below <see cref="Batched"/>.</param>
    /// <param name="time">The clock; the system's when null.</param>
    public static IReward WithTimeout(this IReward reward, TimeSpan limit, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        if (limit <= TimeSpan.Zero)
            throw new ArgumentOutOfRangeException(nameof(limit), limit, "limit must be above 0");
        return new RewardDecorator(
            reward,
            async (completions, context, cancellation) =>
                await Patience
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

    /// <summary>The reward, called again when it throws; what the last try throws reaches the caller.</summary>
    /// <remarks>An <see cref="ArgumentException"/> or <see cref="NotSupportedException"/> is not tried again, nor the caller's own
    /// cancellation. Put the limit of time inside: <c>reward.WithTimeout(…).WithRetries()</c> gives each try its own.</remarks>
    /// <param name="reward">What may fail.</param>
    /// <param name="options">Tries and waits; defaults when null.</param>
    /// <param name="time">The clock; the system's when null.</param>
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

    /// <summary>The reward, called with parts of the list, several at a time; the scores come back in the order of the
    /// completions.</summary>
    /// <remarks>The first call that throws cancels the others. A group's completions always share a call. A component that only some
    /// parts have is not applicable (NaN) in the others.</remarks>
    /// <param name="reward">What is called with parts.</param>
    /// <param name="options">Size and parallelism; defaults when null.</param>
    public static IReward Batched(this IReward reward, BatchOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(reward);
        var checkedOptions = (options ?? new BatchOptions()).Validated();
        return new RewardDecorator(
            reward,
            (completions, context, cancellation) => RewardBatches.ScoreAsync(reward, completions, context, checkedOptions, cancellation)
        );
    }

    /// <summary>The reward, with NaN ("not applicable") for every completion of a call that throws, but for the caller's
    /// cancellation.</summary>
    /// <remarks>For judges that may be away: the training goes on with the other parts. Below <see cref="Batched"/> only the batch that
    /// failed is left out.</remarks>
    /// <param name="reward">What may fail.</param>
    /// <param name="failed">Told of each failure; nobody when null.</param>
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

    /// <summary>The reward, with this value where it is not applicable.</summary>
    /// <param name="reward">A reward that may give NaN.</param>
    /// <param name="value">Finite.</param>
    public static IReward OrElse(this IReward reward, double value) =>
        Map(reward, (score, _) => double.IsNaN(score) ? value : score, value);

    /// <summary>The reward times a factor that depends on the progress of the training: r·f(context).</summary>
    /// <param name="reward">What is scaled.</param>
    /// <param name="factor">For example <c>context => 1 - context.Progress ?? 1</c>, which fades a bonus out.</param>
    public static IReward Scheduled(this IReward reward, Func<RewardContext, double> factor)
    {
        ArgumentNullException.ThrowIfNull(factor);
        return Map(reward, (score, context) => score * factor(context), 0);
    }

    /// <summary>The reward, cut off below and above.</summary>
    /// <param name="reward">What is cut off; an infinity is an error before.</param>
    /// <param name="minimum">The least value.</param>
    /// <param name="maximum">The greatest value, at least the least.</param>
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

    /// <summary>(r − mean)/(std + ε) over each group, for adding parts of different scales (GDPO, arXiv:2601.05242).</summary>
    /// <remarks>std divides by n − 1, as the advantages do. A group with one applicable value, or with equal ones, gives 0. What is not
    /// applicable takes no part and stays so. The components under the name are the raw values. Range: within ±(n − 1)/√n for n
    /// values.</remarks>
    /// <param name="reward">What is normalised.</param>
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
