using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>
/// Prompts with their completions: B rows of P prompt positions, padded on the left, and T completion positions, padded on the right.
/// </summary>
/// <remarks>The batch owns its tensors and outlives dispose scopes: dispose it.</remarks>
public sealed class RolloutBatch : IDisposable
{
    internal RolloutBatch(
        Tensor ids,
        Tensor attentionMask,
        Tensor completionMask,
        Tensor logProbs,
        int promptLength,
        int[][] completions,
        bool[] finished,
        Tensor? drawnLogProbs = null
    )
    {
        Ids = ids.DetachFromDisposeScope();
        AttentionMask = attentionMask.DetachFromDisposeScope();
        CompletionMask = completionMask.DetachFromDisposeScope();
        LogProbs = logProbs.DetachFromDisposeScope();
        DrawnLogProbs = drawnLogProbs?.DetachFromDisposeScope() ?? LogProbs;
        PromptLength = promptLength;
        Completions = completions;
        Finished = finished;
    }

    /// <summary>Lays out completions that another source made, as the sampler does: prompts on the right of their columns, completions on
    /// the left of theirs. Log-probs are 0.</summary>
    /// <param name="prompts">Token ids of each prompt, at least one row.</param>
    /// <param name="completions">Token ids of each completion, the stop token included; at least one token in all.</param>
    /// <param name="finished">True where a stop token ended the completion.</param>
    /// <param name="paddingId">Id at padding.</param>
    /// <param name="device">Device of the tensors; the CPU when null.</param>
    /// <exception cref="ArgumentException">The lists are empty or differ in length.</exception>
    public static RolloutBatch Of(
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<int[]> completions,
        IReadOnlyList<bool> finished,
        int paddingId,
        Device? device = null
    )
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(completions);
        ArgumentNullException.ThrowIfNull(finished);
        if (prompts.Count == 0 || prompts.Any(row => row.Length == 0))
            throw new ArgumentException($"prompts has {prompts.Count} rows, expected at least one, none of them empty", nameof(prompts));
        if (completions.Count != prompts.Count || completions.All(row => row.Length == 0))
            throw new ArgumentException(
                $"completions has {completions.Count} rows, expected {prompts.Count} as prompts, not all empty",
                nameof(completions)
            );
        if (finished.Count != prompts.Count)
            throw new ArgumentException($"finished has {finished.Count} values, expected {prompts.Count}, one a row", nameof(finished));
        using var scope = NewDisposeScope();
        int prompt = prompts.Max(row => row.Length);
        var lengths = tensor(completions.Select(row => (long)row.Length).ToArray()).unsqueeze(1);
        var ids = cat([SequencePadding.Pad(prompts, paddingId, PaddingSide.Left), SequencePadding.Pad(completions, paddingId)], 1);
        var counted = arange(ids.shape[1] - prompt, dtype: ScalarType.Int64).unsqueeze(0).lt(lengths);
        var real = SequencePadding.Pad([.. prompts.Select(row => Enumerable.Repeat(1, row.Length).ToArray())], 0, PaddingSide.Left);
        var mask = counted.to_type(ScalarType.Float32);
        device ??= CPU;
        return new RolloutBatch(
            ids.to(device),
            cat([real, counted.to_type(ScalarType.Int64)], 1).to(device),
            mask.to(device),
            zeros_like(mask).to(device),
            prompt,
            [.. completions],
            [.. finished]
        );
    }

    /// <summary>Token ids, [B,P+T] int64; padding is the id that the caller named.</summary>
    public Tensor Ids { get; }

    /// <summary>[B,P+T] int64: 1 at tokens of the prompt and the completion, 0 at padding.</summary>
    public Tensor AttentionMask { get; }

    /// <summary>[B,T] float32: 1 at generated tokens, the stop token included; 0 after it.</summary>
    public Tensor CompletionMask { get; }

    /// <summary>[B,T]: log-probs of the generated tokens, 0 where the mask is 0: those of <see cref="Score"/>, or as they were drawn, as
    /// <see cref="SamplingOptions.Recording"/> says. See <see cref="Sampler"/> for which distribution.</summary>
    public Tensor LogProbs { get; }

    /// <summary>[B,T]: log-probs of the generated tokens as the pass gave them that drew them, 0 where the mask is 0.</summary>
    public Tensor DrawnLogProbs { get; }

    /// <summary>P, the length of the longest prompt.</summary>
    public int PromptLength { get; }

    /// <summary>The generated tokens of each row, the stop token included.</summary>
    public IReadOnlyList<int[]> Completions { get; }

    /// <summary>Whether each row ended by a stop token, not by the length limit.</summary>
    public IReadOnlyList<bool> Finished { get; }

    /// <summary>The log-probs that training computes: one pass of a model over prompts and completions, or one for each
    /// <see cref="SamplingOptions.ScoringRows"/> rows.</summary>
    /// <remarks>With the model that drew them and unchanged weights the ratio to <see cref="LogProbs"/> is exactly 1 where
    /// <see cref="SamplingOptions.Recording"/> is <see cref="LogProbRecording.Rescored"/>, threads and rows being the same.</remarks>
    /// <param name="model">A model of the same vocabulary.</param>
    /// <param name="options">Those of the sampling.</param>
    /// <returns>[B,T], 0 where the mask is 0; no gradient.</returns>
    public Tensor Score(CausalLm model, SamplingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(model.VocabularySize);
        return CompletionScores.LogProbsOf(model, this, options, options.ScoringRows);
    }

    /// <summary>The same completions with other log-probs; what was recorded stays as the drawn ones. The tensors share their
    /// data.</summary>
    internal RolloutBatch With(Tensor logProbs) =>
        new(
            Ids.alias(),
            AttentionMask.alias(),
            CompletionMask.alias(),
            logProbs,
            PromptLength,
            [.. Completions],
            [.. Finished],
            LogProbs.alias()
        );

    /// <summary>The rows from <paramref name="start"/> on, as views that belong to the current scope.</summary>
    public RolloutRows Rows(long start, long count) => All.Part(start, count);

    /// <summary>The rows of these numbers ([N] int64), as copies that belong to the current scope.</summary>
    internal RolloutRows Rows(Tensor indices) => All.Select(indices);

    /// <summary>All rows, without views of their own.</summary>
    internal RolloutRows All => new(Ids, AttentionMask, CompletionMask, LogProbs);

    /// <summary>Row 0 of this, row 0 of the other, row 1 of this and so on, of two batches of the same prompts; log-probs as each recorded
    /// them.</summary>
    internal RolloutBatch Interleaved(RolloutBatch other, int paddingId)
    {
        using var scope = NewDisposeScope();
        long rows = Ids.shape[0],
            columns = Math.Max(Ids.shape[1], other.Ids.shape[1]),
            length = Math.Max(CompletionMask.shape[1], other.CompletionMask.shape[1]);
        Tensor Join(Tensor one, Tensor two, long width, double filling)
        {
            Tensor Filled(Tensor values) => cat([values, values.new_zeros(rows, width - values.shape[1]).fill_(filling)], 1);
            return stack([Filled(one), Filled(two)], 1).reshape(2 * rows, width);
        }
        return new RolloutBatch(
            Join(Ids, other.Ids, columns, paddingId),
            Join(AttentionMask, other.AttentionMask, columns, 0),
            Join(CompletionMask, other.CompletionMask, length, 0),
            Join(LogProbs, other.LogProbs, length, 0),
            PromptLength,
            [.. Completions.Zip(other.Completions).SelectMany(pair => new[] { pair.First, pair.Second })],
            [.. Finished.Zip(other.Finished).SelectMany(pair => new[] { pair.First, pair.Second })]
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Ids.Dispose();
        AttentionMask.Dispose();
        CompletionMask.Dispose();
        LogProbs.Dispose();
        DrawnLogProbs.Dispose();
    }
}
