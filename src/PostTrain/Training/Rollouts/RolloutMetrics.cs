using MathNet.Numerics.Statistics;
using PostTrain.Rewards;

namespace PostTrain.Training;

/// <summary>Metrics of a batch of judged completions; the names are listed at <see cref="RolloutTrainer"/>.</summary>
internal static class RolloutMetrics
{
    /// <summary>Computes the metrics.</summary>
    /// <param name="completions">At least one.</param>
    /// <param name="scores">Rewards of the completions.</param>
    /// <param name="groupSize">Completions of a prompt.</param>
    /// <param name="isJudged">False leaves the rewards out.</param>
    internal static Dictionary<string, double> Of(IReadOnlyList<Completion> completions, RewardScores scores, int groupSize, bool isJudged)
    {
        var metrics = new Dictionary<string, double>();
        if (isJudged)
        {
            var groups = scores.Values.Chunk(groupSize).ToArray();
            metrics["reward/mean"] = scores.Values.Mean();
            metrics["reward/std"] = scores.Values.PopulationStandardDeviation();
            if (groupSize > 1)
                metrics["reward/zero_groups"] = groups.Count(group => group.All(value => value == group[0])) / (double)groups.Length;
        }
        metrics["completion/length"] = completions.Average(completion => completion.Tokens.Length);
        metrics["completion/finished"] = completions.Average(completion => completion.Finished ? 1.0 : 0.0);
        if (completions.Any(completion => completion.Turns.Count > 0))
            metrics["completion/turns"] = completions.Average(completion => Math.Max(1, completion.Turns.Count));
        if (!isJudged)
            return metrics;
        foreach (var (name, values) in scores.Components)
        {
            // A component is averaged over its applicable values.
            var applicable = values.Where(value => !double.IsNaN(value)).ToArray();
            if (applicable.Length > 0)
                metrics[$"reward/{name}"] = applicable.Mean();
        }
        return metrics;
    }
}
