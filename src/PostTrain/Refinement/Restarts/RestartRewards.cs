using PostTrain.Data;
using PostTrain.Rewards;

namespace PostTrain.Refinement.Restarts;

/// <summary>Rewards for getting further than an earlier text.</summary>
public static class RestartRewards
{
    /// <summary>r(y_1) + α(r(y_1) − r(y_0)): what the text is worth, and what it is worth more than the earlier one.</summary>
    /// <remarks>
    /// <para>SCoRe's second stage: Kumar et al. 2024, arXiv:2409.12917, section 5.2, α well above 1. For a reward of 0 or 1 it is Satori's
    /// bonus (Shen et al. 2025, arXiv:2502.02508, section 4.2), +α from wrong to right, −α from right to wrong, 0 otherwise; Satori takes
    /// 1[right] − 1 for r, which shifts all rewards alike. The bonus keeps a policy from writing its best text at once and changing nothing
    /// after: collapse to one attempt pays nothing here.</para>
    /// <para>Deviation: SCoRe draws y_0 from the policy that is trained in every step, here it is that of the restarts; draw them anew now
    /// and then. r is asked for the whole answer (<see cref="Restart.Whole"/>) under the original problem. A completion of another problem
    /// gets r alone. Restarts of equal problems share the mean of their earlier rewards, with which the bonus, linear in r(y_0), has the
    /// same expectation. The components hold r under its own names, and the <c>bonus</c>, NaN where there is none.</para>
    /// </remarks>
    /// <param name="reward">r, the one that the earlier rewards are of.</param>
    /// <param name="restarts">Restarts among the problems.</param>
    /// <param name="alpha">α, at least 0.</param>
    public static IReward WithProgress(this IReward reward, IReadOnlyList<Restart> restarts, double alpha)
    {
        ArgumentNullException.ThrowIfNull(reward);
        ArgumentNullException.ThrowIfNull(restarts);
        Numerics.Guard.NotNegative(alpha, nameof(alpha));
        var known = restarts
            .GroupBy(restart => restart.Problem)
            .ToDictionary(
                group => group.Key,
                group => group.First() with { EarlierReward = group.Average(restart => restart.EarlierReward) }
            );
        return new ProgressReward(reward, known, alpha);
    }

    private sealed class ProgressReward(IReward reward, Dictionary<Problem, Restart> restarts, double alpha) : IReward
    {
        public string Name => reward.Name;

        public async ValueTask<RewardScores> ScoreAsync(
            IReadOnlyList<Completion> completions,
            RewardContext context,
            CancellationToken cancellation = default
        )
        {
            Restart?[] begun = [.. completions.Select(completion => restarts.GetValueOrDefault(completion.Problem))];
            var scores = await Scoring
                .ScorePartAsync(
                    reward,
                    [.. completions.Zip(begun, (completion, restart) => restart?.Whole(completion) ?? completion)],
                    context,
                    cancellation
                )
                .ConfigureAwait(false);
            double[] bonus =
            [
                .. scores.Values.Zip(begun, (score, restart) => restart is null ? double.NaN : alpha * (score - restart.EarlierReward)),
            ];
            return new RewardScores(
                [.. scores.Values.Zip(bonus, (score, more) => double.IsNaN(more) ? score : score + more)],
                new Dictionary<string, double[]>(scores.Components, StringComparer.Ordinal) { ["bonus"] = bonus }
            );
        }
    }
}
