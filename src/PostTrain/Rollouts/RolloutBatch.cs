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

    /// <summary>Creates a batch from completions of another source in the sampler's layout: prompts right-aligned, completions
    /// left-aligned. Log-probs are 0.</summary>
    /// <param name="prompts">Token ids of each prompt, at least one row.</param>
    /// <param name="completions">Token ids of each completion, the stop token included; at least one token in all.</param>
    /// <param name="finished">True if a stop token ended the completion.</param>
    /// <param name="paddingId">Id at padding.</param>
    /// <param name="device">Device of the tensors; null for the CPU.</param>
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

    /// <summary>Creates a batch from the completions of a source, in the sampler's layout. Their log-probs are <see cref="LogProbs"/> and
    /// <see cref="DrawnLogProbs"/>.</summary>
    /// <param name="prompts">Token ids of each prompt, at least one row.</param>
    /// <param name="samples">Completion of each prompt, in order: see <see cref="RolloutSource.CollectAsync"/>.</param>
    /// <param name="paddingId">Id at padding.</param>
    /// <param name="type">Type of the log-probs; float32 by default.</param>
    /// <param name="device">Device of the tensors; null for the CPU.</param>
    /// <exception cref="ArgumentException">The lists are empty or differ in length, or a completion has not one log-prob for each
    /// token.</exception>
    public static RolloutBatch Of(
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<RolloutSample> samples,
        int paddingId,
        ScalarType type = ScalarType.Float32,
        Device? device = null
    )
    {
        ArgumentNullException.ThrowIfNull(samples);
        if (samples.Any(sample => sample.LogProbs.Length != sample.Tokens.Length))
            throw new ArgumentException("samples has a completion without one log-prob for each token", nameof(samples));
        using var scope = NewDisposeScope();
        using var empty = Of(
            prompts,
            [.. samples.Select(sample => sample.Tokens)],
            [.. samples.Select(sample => sample.Finish == RolloutFinish.Stop)],
            paddingId,
            device
        );
        var length = (int)empty.CompletionMask.shape[1];
        Tensor Padded(Func<RolloutSample, double[]> values, double filling)
        {
            var all = new double[samples.Count * length];
            Array.Fill(all, filling);
            for (var row = 0; row < samples.Count; row++)
                values(samples[row]).CopyTo(all, row * length);
            return tensor(all, [samples.Count, length]).to(type, empty.Ids.device);
        }
        bool isMixed = samples.Any(sample => sample.Drawn is not null);
        return new RolloutBatch(
            empty.Ids.alias(),
            empty.AttentionMask.alias(),
            isMixed
                ? Padded(sample => [.. (sample.Drawn ?? [.. sample.Tokens.Select(_ => true)]).Select(own => own ? 1.0 : 0)], 0)
                    .to_type(empty.CompletionMask.dtype)
                : empty.CompletionMask.alias(),
            Padded(sample => sample.LogProbs, 0),
            empty.PromptLength,
            [.. empty.Completions],
            [.. empty.Finished]
        )
        {
            Versions = [.. samples.Select(sample => sample.Version)],
            Finishes = [.. samples.Select(sample => sample.Finish)],
            Drawn = isMixed ? [.. samples.Select(sample => sample.Drawn)] : null,
            KeptMass = samples.All(sample => sample.KeptMass is null)
                ? null
                : Padded(sample => sample.KeptMass ?? [], 1).DetachFromDisposeScope(),
        };
    }

    /// <summary>Token ids, [B,P+T] int64; padding has the caller's padding id.</summary>
    public Tensor Ids { get; }

    /// <summary>[B,P+T] int64: 1 at tokens of the prompt and the completion, 0 at padding.</summary>
    public Tensor AttentionMask { get; }

    /// <summary>[B,T] float32: 1 at tokens that the policy drew, the stop token included; 0 after it, and at observations of an
    /// environment.</summary>
    public Tensor CompletionMask { get; }

    /// <summary>[B,T]: log-probs of the generated tokens, 0 where the mask is 0: those of <see cref="Score"/>, or of the sampling pass,
    /// according to <see cref="SamplingOptions.Recording"/>. <see cref="Sampler"/> describes the distribution.</summary>
    public Tensor LogProbs { get; }

    /// <summary>[B,T]: log-probs of the generated tokens from the pass that sampled them, 0 where the mask is 0.</summary>
    public Tensor DrawnLogProbs { get; }

    /// <summary>P, the length of the longest prompt.</summary>
    public int PromptLength { get; }

    /// <summary>The tokens of each row after its prompt: the generated ones, the stop token included, and observations of an environment
    /// between them.</summary>
    public IReadOnlyList<int[]> Completions { get; }

    /// <summary>True for each row that a stop token ended, false if it reached the length limit.</summary>
    public IReadOnlyList<bool> Finished { get; }

    /// <summary>Number of the weights that drew each row, as <see cref="RolloutSample.Version"/>; empty where no source told.</summary>
    public IReadOnlyList<long?> Versions { get; private init; } = [];

    /// <summary>Reason for which each row ended, as <see cref="RolloutSample.Finish"/>; empty where no source told.</summary>
    public IReadOnlyList<RolloutFinish> Finishes { get; private init; } = [];

    /// <summary>For each row, which tokens of <see cref="Completions"/> the policy drew (null: all), as <see cref="RolloutSample.Drawn"/>;
    /// null where no environment spoke.</summary>
    public IReadOnlyList<bool[]?>? Drawn { get; private init; }

    /// <summary>[B,T]: probability that truncation kept at each token, 1 where nothing was cut off, and at padding; null where no source
    /// told. See <see cref="RolloutSample.KeptMass"/>.</summary>
    public Tensor? KeptMass { get; private init; }

    /// <summary>Computes the log-probs as training does: one pass of a model over prompts and completions, or one per <see
    /// cref="SamplingOptions.ScoringRows"/> rows.</summary>
    /// <remarks>With the sampling model and unchanged weights the ratio to <see cref="LogProbs"/> is exactly 1 if <see
    /// cref="SamplingOptions.Recording"/> is <see cref="LogProbRecording.Rescored"/>, with equal threads and rows.</remarks>
    /// <param name="model">A model of the same vocabulary.</param>
    /// <param name="options">The options of the sampling.</param>
    /// <returns>[B,T], 0 where the mask is 0; no gradient.</returns>
    public Tensor Score(CausalLm model, SamplingOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate(model.VocabularySize);
        return CompletionScores.LogProbsOf(model, this, options, options.ScoringRows);
    }

    /// <summary>Returns the same completions with other log-probs; the recorded ones stay as the drawn ones. The tensors share their
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
        )
        {
            Versions = Versions,
            Finishes = Finishes,
            Drawn = Drawn,
            KeptMass = KeptMass?.alias().DetachFromDisposeScope(),
        };

    /// <summary>Returns <paramref name="count"/> rows from <paramref name="start"/> on, as views in the current scope.</summary>
    public RolloutRows Rows(long start, long count) => All.Part(start, count);

    /// <summary>Returns the rows with these indices ([N] int64), as copies in the current scope.</summary>
    internal RolloutRows Rows(Tensor indices) => All.Select(indices);

    /// <summary>All rows, without new views.</summary>
    internal RolloutRows All => new(Ids, AttentionMask, CompletionMask, LogProbs);

    /// <summary>Interleaves two batches of the same prompts: row 0 of this, row 0 of the other, row 1 of this, and so on, with the recorded
    /// log-probs.</summary>
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
        KeptMass?.Dispose();
    }
}
