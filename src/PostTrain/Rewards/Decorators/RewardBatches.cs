namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.Batched"/>.</summary>
internal static class RewardBatches
{
    internal static async ValueTask<RewardScores> ScoreAsync(
        IReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        BatchOptions options,
        CancellationToken cancellation
    )
    {
        var batches = Split(completions, options.Size);
        var parts = new RewardScores[batches.Count];
        await Parallel
            .ForAsync(
                0,
                batches.Count,
                new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = cancellation },
                async (index, token) =>
                    parts[index] = await Scoring
                        .ScorePartAsync(reward, [.. batches[index].Select(i => completions[i])], context, token)
                        .ConfigureAwait(false)
            )
            .ConfigureAwait(false);
        return Merge(completions.Count, batches, parts);
    }

    // Splits into batches of whole groups, as many as fit.
    private static List<List<int>> Split(IReadOnlyList<Completion> completions, int size)
    {
        var batches = new List<List<int>>();
        foreach (var group in CompletionGroups.Of(completions))
        {
            if (batches.Count == 0 || batches[^1].Count + group.Length > size)
                batches.Add([]);
            batches[^1].AddRange(group);
        }

        return batches;
    }

    private static RewardScores Merge(int count, List<List<int>> batches, RewardScores[] parts)
    {
        var values = new double[count];
        var components = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (var b = 0; b < parts.Length; b++)
        {
            Scatter(parts[b].Values, batches[b], values);
            foreach (var (name, part) in parts[b].Components)
            {
                if (!components.TryGetValue(name, out var all))
                {
                    components[name] = all = new double[count];
                    Array.Fill(all, double.NaN);
                }

                Scatter(part, batches[b], all);
            }
        }

        return new RewardScores(values, components);
    }

    private static void Scatter(double[] part, List<int> places, double[] all)
    {
        for (var k = 0; k < part.Length; k++)
            all[places[k]] = part[k];
    }
}
