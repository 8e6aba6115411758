using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Draws and passes over completions whose rows the ranks share.</summary>
internal static class SharedRollouts
{
    /// <summary>Rows of a rank: whole units, one block a rank.</summary>
    internal static (int Start, int Count) Share(Ranks ranks, int rows, int unit)
    {
        long units = rows / unit;
        int start = (int)(units * ranks.Rank / ranks.Size) * unit,
            end = (int)(units * (ranks.Rank + 1) / ranks.Size) * unit;
        return (start, end - start);
    }

    /// <summary>Draws one completion of each prompt, each rank those of its share; every rank gets all of them in one layout. A row's
    /// random numbers are those of its number among all rows.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="prompts">Prompt of each row.</param>
    /// <param name="unit">Rows that stay together: a group.</param>
    /// <param name="layout">The model that the rows are for, and the padding id.</param>
    /// <param name="draw">Draws rows from a start, so many of them.</param>
    internal static async Task<RolloutBatch> DrawAsync(
        Ranks ranks,
        IReadOnlyList<int[]> prompts,
        int unit,
        (CausalLm Model, int PaddingId) layout,
        Func<int, int, Task<RolloutBatch>> draw
    )
    {
        if (ranks.IsAlone)
            return await draw(0, prompts.Count).ConfigureAwait(false);
        // Groups are drawn whole, as they share a prompt, where there are enough of them.
        bool areWhole = prompts.Count % unit == 0 && prompts.Count / unit >= ranks.Size;
        // The shape of a pass decides the last bits of its log-probs: where they may not depend on the ranks, one rank draws.
        var (start, count) =
            !ranks.Options.FixedOrder ? Share(ranks, prompts.Count, areWhole ? unit : 1)
            : ranks.IsFirst ? (0, prompts.Count)
            : (0, 0);
        var messages = await ranks
            .ExchangeAsync(
                "a draw of completions",
                async writer =>
                {
                    using var own = count == 0 ? null : await draw(start, count).ConfigureAwait(false);
                    SampleMessage.Write(writer, own);
                }
            )
            .ConfigureAwait(false);
        return Laid(messages, prompts, layout);
    }

    /// <summary>The options of a share of a draw.</summary>
    internal static SamplingOptions At(this SamplingOptions sampling, int start, int count) =>
        sampling with
        {
            FirstRow = sampling.FirstRow + start,
            RowSeeds = sampling.RowSeeds is null ? null : [.. sampling.RowSeeds.Skip(start).Take(count)],
        };

    /// <summary>Samples from a model. Log-probs that are to be those of training are recorded of all rows together, in the parts in which
    /// an update computes them.</summary>
    internal static async Task<RolloutBatch> GenerateAsync(
        Ranks ranks,
        IReadOnlyList<int[]> prompts,
        int unit,
        (CausalLm Model, int PaddingId) layout,
        (SamplingOptions Options, Func<IReadOnlyList<int[]>, SamplingOptions, RolloutBatch> Generate) sampling
    )
    {
        if (ranks.IsAlone)
            return sampling.Generate(prompts, sampling.Options);
        var options = sampling.Options;
        var quick = options with { Recording = LogProbRecording.Drawn };
        var drawn = await DrawAsync(
                ranks,
                prompts,
                unit,
                layout,
                (start, count) => Task.FromResult(sampling.Generate([.. prompts.Skip(start).Take(count)], quick.At(start, count)))
            )
            .ConfigureAwait(false);
        if (options.Recording == LogProbRecording.Drawn)
            return drawn;
        using (drawn)
        using (NewDisposeScope())
            return drawn.With(LogProbsOf(ranks, layout.Model, drawn, options, options.ScoringRows));
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

    private static RolloutBatch Laid(byte[][] messages, IReadOnlyList<int[]> prompts, (CausalLm Model, int PaddingId) layout)
    {
        var samples = new List<RolloutSample>(prompts.Count);
        var type = ScalarType.Float32;
        foreach (var message in messages)
        {
            using var reader = Ranks.Reader(message);
            if (SampleMessage.Read(reader, samples) is { } own)
                type = own;
        }
        return RolloutBatch.Of(prompts, samples, layout.PaddingId, type, BodyParts.DeviceOf(layout.Model));
    }
}
