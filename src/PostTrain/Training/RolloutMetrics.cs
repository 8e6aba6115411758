using MathNet.Numerics.Statistics;
using PostTrain.Rewards;

namespace PostTrain.Training;

/// <summary>What a batch of judged completions says in numbers; the names are listed at <see cref="RolloutTrainer"/>.</summary>
internal static class RolloutMetrics
{
    internal static void AddTo(
        Dictionary<string, double> metrics,
        RewardScores scores,
        IReadOnlyList<Completion> completions,
        int groupSize,
        string prefix = ""
    )
    {
        var groups = scores.Values.Chunk(groupSize).ToArray();
        metrics[$"{prefix}reward/mean"] = scores.Values.Mean();
        metrics[$"{prefix}reward/std"] = scores.Values.PopulationStandardDeviation();
        if (groupSize > 1)
            metrics[$"{prefix}reward/zero_groups"] = groups.Count(group => group.All(value => value == group[0])) / (double)groups.Length;
        metrics[$"{prefix}completion/length"] = completions.Average(completion => completion.Tokens.Length);
        metrics[$"{prefix}completion/finished"] = completions.Average(completion => completion.Finished ? 1.0 : 0.0);
        foreach (var (name, values) in scores.Components)
        {
            // A part counts where it is applicable.
            var applicable = values.Where(value => !double.IsNaN(value)).ToArray();
            if (applicable.Length > 0)
                metrics[$"{prefix}reward/{name}"] = applicable.Mean();
        }
    }
}
