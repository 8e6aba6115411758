using MathNet.Numerics.Statistics;
using PostTrain.Rewards;

namespace PostTrain.Policy;

/// <summary>What a batch of judged completions says in numbers; the names are listed at <see cref="GrpoTrainer"/>.</summary>
internal static class GrpoMetrics
{
    internal static Dictionary<string, double> Of(RewardScores scores, IReadOnlyList<Completion> completions, int groupSize)
    {
        var groups = scores.Values.Chunk(groupSize).ToArray();
        var metrics = new Dictionary<string, double>
        {
            ["reward/mean"] = scores.Values.Mean(),
            ["reward/std"] = scores.Values.PopulationStandardDeviation(),
            ["reward/zero_groups"] = groups.Count(group => group.All(value => value == group[0])) / (double)groups.Length,
            ["completion/length"] = completions.Average(completion => completion.Tokens.Length),
            ["completion/finished"] = completions.Average(completion => completion.Finished ? 1.0 : 0.0),
        };
        foreach (var (name, values) in scores.Components)
        {
            // A part counts where it is applicable.
            var applicable = values.Where(value => !double.IsNaN(value)).ToArray();
            if (applicable.Length > 0) metrics[$"reward/{name}"] = applicable.Mean();
        }
        return metrics;
    }
}
