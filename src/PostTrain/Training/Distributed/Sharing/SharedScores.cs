using PostTrain.Rewards;
using PostTrain.Rewards.Steps;

namespace PostTrain.Training.Distributed;

/// <summary>Rewards that all ranks get: judged by rank 0, or each share by its rank.</summary>
internal static class SharedScores
{
    /// <summary>Judges completions.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="reward">The judge.</param>
    /// <param name="completions">Those of all ranks.</param>
    /// <param name="unit">Rows that stay together: a group.</param>
    /// <param name="context">Progress of the run, and its cancellation.</param>
    internal static async Task<RewardScores> ScoreAsync(
        Ranks ranks,
        IReward reward,
        IReadOnlyList<Completion> completions,
        int unit,
        (RewardContext Progress, CancellationToken Cancellation) context
    )
    {
        if (ranks.IsAlone)
            return await Scoring.ScoreCheckedAsync(reward, completions, context.Progress, context.Cancellation).ConfigureAwait(false);
        var (start, count) = Share(ranks, completions.Count, unit);
        var messages = await ranks
            .ExchangeAsync(
                "the rewards",
                async writer =>
                {
                    Completion[] own = [.. completions.Skip(start).Take(count)];
                    var scores =
                        count == 0
                            ? null
                            : await Scoring.ScoreCheckedAsync(reward, own, context.Progress, context.Cancellation).ConfigureAwait(false);
                    Write(writer, scores);
                }
            )
            .ConfigureAwait(false);
        return RewardScores.Concatenate([.. messages.Select(Read).OfType<RewardScores>()]);
    }

    /// <summary>Judges the tokens of completions.</summary>
    /// <inheritdoc cref="ScoreAsync"/>
    internal static async Task<IReadOnlyList<double[]>> TokensAsync(
        Ranks ranks,
        ITokenReward reward,
        IReadOnlyList<Completion> completions,
        int unit,
        (RewardContext Progress, CancellationToken Cancellation) context
    )
    {
        if (ranks.IsAlone)
            return await TokenReward.ScoreCheckedAsync(reward, completions, context.Progress, context.Cancellation).ConfigureAwait(false);
        var (start, count) = Share(ranks, completions.Count, unit);
        var messages = await ranks
            .ExchangeAsync(
                "the rewards of tokens",
                async writer =>
                {
                    Completion[] own = [.. completions.Skip(start).Take(count)];
                    var scores =
                        count == 0
                            ? []
                            : await TokenReward
                                .ScoreCheckedAsync(reward, own, context.Progress, context.Cancellation)
                                .ConfigureAwait(false);
                    writer.Write(scores.Count);
                    foreach (var row in scores)
                        Write(writer, row);
                }
            )
            .ConfigureAwait(false);
        return
        [
            .. messages.SelectMany(message =>
            {
                using var reader = Ranks.Reader(message);
                var rows = new double[reader.ReadInt32()][];
                for (int row = 0; row < rows.Length; row++)
                    rows[row] = Doubles(reader);
                return rows;
            }),
        ];
    }

    private static (int Start, int Count) Share(Ranks ranks, int rows, int unit) =>
        ranks.Options.SplitRewards ? SharedRollouts.Share(ranks, rows, rows % unit == 0 ? unit : 1)
        : ranks.IsFirst ? (0, rows)
        : (0, 0);

    private static void Write(BinaryWriter writer, RewardScores? scores)
    {
        writer.Write(scores is not null);
        if (scores is null)
            return;
        Write(writer, scores.Values);
        writer.Write(scores.Components.Count);
        foreach (var (name, values) in scores.Components)
        {
            writer.Write(name);
            Write(writer, values);
        }
    }

    private static RewardScores? Read(byte[] message)
    {
        using var reader = Ranks.Reader(message);
        if (!reader.ReadBoolean())
            return null;
        var values = Doubles(reader);
        var components = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (int left = reader.ReadInt32(); left > 0; left--)
            components[reader.ReadString()] = Doubles(reader);
        return new RewardScores(values, components);
    }

    private static void Write(BinaryWriter writer, double[] values)
    {
        writer.Write(values.Length);
        foreach (double value in values)
            writer.Write(value);
    }

    private static double[] Doubles(BinaryReader reader)
    {
        var values = new double[reader.ReadInt32()];
        for (int i = 0; i < values.Length; i++)
            values[i] = reader.ReadDouble();
        return values;
    }
}
