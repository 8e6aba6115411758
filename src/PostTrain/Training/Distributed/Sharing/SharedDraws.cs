using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Rollouts;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Draws and judges the completions of a trainer's steps: in this process alone, or on all ranks, each its share; every rank gets
/// all of them.</summary>
/// <param name="ranks">The ranks.</param>
/// <param name="unit">Completions of a prompt, which stay together.</param>
/// <param name="feed">Source of completions; null: the policy draws.</param>
/// <param name="drawing">The policy and its tokenizer.</param>
internal sealed class SharedDraws(Ranks ranks, int unit, SourceFeed? feed, (CausalLm Policy, ITokenizer Tokenizer) drawing)
{
    /// <summary>Draws one completion of each prompt; the caller disposes them. A row's random numbers are those of its number among all
    /// rows.</summary>
    /// <param name="prompts">Prompt of each row.</param>
    /// <param name="sampling">Options of the draw.</param>
    /// <param name="seed">Seed of the draw.</param>
    /// <param name="weights">Number of the policy's weights, and true to draw with exactly these.</param>
    /// <param name="cancellation">Cancels it.</param>
    internal async Task<RolloutBatch> DrawAsync(
        IReadOnlyList<TokenizedPrompt> prompts,
        SamplingOptions sampling,
        ulong seed,
        (long Version, bool IsCurrent) weights,
        CancellationToken cancellation
    )
    {
        var (policy, tokenizer) = drawing;
        if (ranks.IsAlone)
            return await OwnAsync(prompts, sampling).ConfigureAwait(false);
        // Log-probs that are to be those of training are recorded of all rows together, in the parts in which an update computes them.
        bool isRecorded = feed is not null || sampling.Recording == LogProbRecording.Drawn;
        var quick = isRecorded ? sampling : sampling with { Recording = LogProbRecording.Drawn };
        var (start, count) = DrawnShare(prompts.Count);
        var messages = await ranks
            .ExchangeAsync(
                "a draw of completions",
                async writer =>
                {
                    using var own =
                        count == 0
                            ? null
                            : await OwnAsync([.. prompts.Skip(start).Take(count)], At(quick, start, count)).ConfigureAwait(false);
                    SampleMessage.Write(writer, own);
                }
            )
            .ConfigureAwait(false);
        var drawn = Laid(messages, prompts);
        if (isRecorded)
            return drawn;
        using (drawn)
        using (NewDisposeScope())
            return drawn.With(LogProbsOf(ranks, policy, drawn, sampling, sampling.ScoringRows));

        Task<RolloutBatch> OwnAsync(IReadOnlyList<TokenizedPrompt> some, SamplingOptions how) =>
            feed is null
                ? Task.FromResult(Sampler.Generate(policy, [.. some.Select(prompt => prompt.Ids)], how, seed, tokenizer, cancellation))
                : feed.DrawAsync(some, how, seed, weights.Version, weights.IsCurrent, cancellation);
    }

    /// <summary>Judges completions, on rank 0 or each share on its rank.</summary>
    internal async Task<RewardScores> ScoreAsync(
        IReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    )
    {
        if (ranks.IsAlone)
            return await JudgeAsync(completions).ConfigureAwait(false);
        return RewardScores.Concatenate(
            await ExchangedAsync<RewardScores>("the rewards", completions, JudgeAsync, (Write, Scores)).ConfigureAwait(false)
        );

        Task<RewardScores> JudgeAsync(IReadOnlyList<Completion> some) =>
            Scoring.ScoreCheckedAsync(reward, some, context, cancellation).AsTask();
    }

    /// <summary>Judges the tokens of completions.</summary>
    /// <inheritdoc cref="ScoreAsync(IReward, IReadOnlyList{Completion}, RewardContext, CancellationToken)"/>
    internal async Task<IReadOnlyList<double[]>> ScoreAsync(
        ITokenReward reward,
        IReadOnlyList<Completion> completions,
        RewardContext context,
        CancellationToken cancellation
    )
    {
        if (ranks.IsAlone)
            return await JudgeAsync(completions).ConfigureAwait(false);
        var shares = await ExchangedAsync<IReadOnlyList<double[]>>("the rewards of tokens", completions, JudgeAsync, (Write, Rows))
            .ConfigureAwait(false);
        return [.. shares.SelectMany(rows => rows)];

        Task<IReadOnlyList<double[]>> JudgeAsync(IReadOnlyList<Completion> some) =>
            TokenReward.ScoreCheckedAsync(reward, some, context, cancellation).AsTask();
    }

    /// <summary>Computes log-probs of all completions without gradient, some rows at a time: [B,T], 0 where the mask is 0.</summary>
    internal static Tensor LogProbsOf(Ranks ranks, CausalLm model, RolloutBatch rollouts, SamplingOptions sampling, int? microBatchSize)
    {
        using var scope = NewDisposeScope();
        int rows = (int)rollouts.Ids.shape[0],
            size = ranks.PartSize(rows, microBatchSize);
        var parts = ranks.Each(
            (rows + size - 1) / size,
            part => CompletionScores.Of(model, rollouts.Rows((long)part * size, Math.Min(size, rows - part * size)), sampling).LogProbs
        );
        return cat(parts, 0).MoveToOuterDisposeScope();
    }

    // Judges this rank's share and returns what each rank with a share found, in the order of the completions.
    private async Task<T[]> ExchangedAsync<T>(
        string place,
        IReadOnlyList<Completion> completions,
        Func<IReadOnlyList<Completion>, Task<T>> judge,
        (Action<BinaryWriter, T> Write, Func<BinaryReader, T> Read) form
    )
    {
        var (start, count) =
            ranks.Options.SplitRewards ? Share(completions.Count, completions.Count % unit == 0 ? unit : 1)
            : ranks.IsFirst ? (0, completions.Count)
            : (0, 0);
        var messages = await ranks
            .ExchangeAsync(
                place,
                async writer =>
                {
                    writer.Write(count > 0);
                    if (count > 0)
                        form.Write(writer, await judge([.. completions.Skip(start).Take(count)]).ConfigureAwait(false));
                }
            )
            .ConfigureAwait(false);
        var readers = messages.Select(Ranks.Reader).ToArray();
        return [.. readers.Where(reader => reader.ReadBoolean()).Select(form.Read)];
    }

    private (int Start, int Count) DrawnShare(int rows)
    {
        // Groups are drawn whole, as they share a prompt, where there are enough of them.
        bool areWhole = rows % unit == 0 && rows / unit >= ranks.Size;
        // The shape of a pass decides the last bits of its log-probs: where they may not depend on the ranks, one rank draws.
        return !ranks.Options.FixedOrder ? Share(rows, areWhole ? unit : 1)
            : ranks.IsFirst ? (0, rows)
            : (0, 0);
    }

    // Rows of this rank: whole units, one block a rank.
    private (int Start, int Count) Share(int rows, int whole)
    {
        long units = rows / whole;
        int start = (int)(units * ranks.Rank / ranks.Size) * whole,
            end = (int)(units * (ranks.Rank + 1) / ranks.Size) * whole;
        return (start, end - start);
    }

    // The options of a share of a draw.
    private static SamplingOptions At(SamplingOptions sampling, int start, int count) =>
        sampling with
        {
            FirstRow = sampling.FirstRow + start,
            RowSeeds = sampling.RowSeeds is null ? null : [.. sampling.RowSeeds.Skip(start).Take(count)],
        };

    private RolloutBatch Laid(byte[][] messages, IReadOnlyList<TokenizedPrompt> prompts)
    {
        var samples = new List<RolloutSample>(prompts.Count);
        var type = ScalarType.Float32;
        foreach (var message in messages)
        {
            using var reader = Ranks.Reader(message);
            if (SampleMessage.Read(reader, samples) is { } own)
                type = own;
        }
        int[][] ids = [.. prompts.Select(prompt => prompt.Ids)];
        return RolloutBatch.Of(ids, samples, drawing.Tokenizer.PaddingId, type, BodyParts.DeviceOf(drawing.Policy));
    }

    private static void Write(BinaryWriter writer, RewardScores scores)
    {
        Write(writer, scores.Values);
        writer.Write(scores.Components.Count);
        foreach (var (name, values) in scores.Components)
        {
            writer.Write(name);
            Write(writer, values);
        }
    }

    private static RewardScores Scores(BinaryReader reader)
    {
        var values = Numbers(reader);
        var components = new Dictionary<string, double[]>(StringComparer.Ordinal);
        for (int left = reader.ReadInt32(); left > 0; left--)
            components[reader.ReadString()] = Numbers(reader);
        return new RewardScores(values, components);
    }

    private static void Write(BinaryWriter writer, IReadOnlyList<double[]> rows)
    {
        writer.Write(rows.Count);
        foreach (var row in rows)
            Write(writer, row);
    }

    private static double[][] Rows(BinaryReader reader)
    {
        var rows = new double[reader.ReadInt32()][];
        for (int row = 0; row < rows.Length; row++)
            rows[row] = Numbers(reader);
        return rows;
    }

    private static void Write(BinaryWriter writer, double[] values)
    {
        writer.Write(values.Length);
        foreach (double value in values)
            writer.Write(value);
    }

    private static double[] Numbers(BinaryReader reader)
    {
        var values = new double[reader.ReadInt32()];
        for (int i = 0; i < values.Length; i++)
            values[i] = reader.ReadDouble();
        return values;
    }
}
