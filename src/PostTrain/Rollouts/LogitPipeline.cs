using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>What stands between a model's scores and the draw: the options that are not at their defaults, in transformers'
/// order.</summary>
internal sealed class LogitPipeline : IDisposable
{
    private readonly SamplingOptions options;
    private readonly SequenceBiasTable? biases;
    private readonly SequenceBiasTable? badWords;
    private readonly bool processes;

    public LogitPipeline(SamplingOptions options, int vocabularySize, Device device)
    {
        this.options = options;
        if (options.SequenceBiases.Count > 0)
            biases = new SequenceBiasTable(options.SequenceBiases, vocabularySize, device);
        if (options.BadWords.Count > 0)
            badWords = new SequenceBiasTable(options.BadWordBiases, vocabularySize, device);
        processes =
            biases is not null
            || badWords is not null
            || options.RepetitionPenalty != 1
            || options.NoRepeatNGramSize > 0
            || options.Processors.Count > 0;
        Truncates =
            options.TopK > 0
            || options.TopP < 1
            || options.MinP > 0
            || options.TypicalP < 1
            || options.EpsilonCutoff > 0
            || options.EtaCutoff > 0;
    }

    /// <summary>Whether any truncation is on.</summary>
    public bool Truncates { get; }

    /// <summary>Whether <see cref="Process"/> does more for a completion of this length than leave out suppressed tokens.</summary>
    public bool Changes(int generated) => processes || generated < options.MinNewTokens;

    /// <summary>Biases, penalties and bans, all before the temperature: [B,V] to [B,V]; contexts and mask [B,L].</summary>
    public Tensor Process(Tensor scores, Tensor ids, Tensor mask, int generated)
    {
        using var scope = NewDisposeScope();
        // A soft prompt has ids past the vocabulary of what can come out; they are no context of it.
        var last = scores.size(1) - 1;
        (ids, mask) = (ids.clamp_max(last), mask.masked_fill(ids.gt(last), 0));
        if (biases is not null)
            scores = biases.Apply(scores, ids, mask);
        if (options.RepetitionPenalty != 1)
            scores = LogitProcessors.RepetitionPenalty(scores, ids, mask, options.RepetitionPenalty);
        if (options.NoRepeatNGramSize > 0)
            scores = LogitProcessors.NoRepeatNGram(scores, ids, mask, options.NoRepeatNGramSize);
        if (badWords is not null)
            scores = badWords.Apply(scores, ids, mask);
        if (generated < options.MinNewTokens)
            scores = LogitProcessors.Suppress(scores, options.StopTokens);
        if (options.SuppressedTokens.Count > 0)
            scores = LogitProcessors.Suppress(scores, options.SuppressedTokens);
        foreach (var processor in options.Processors)
        {
            scores = processor(scores, ids, mask);
            if (scores.dim() != 2 || scores.size(0) != ids.size(0))
                throw new InvalidOperationException(
                    $"A processor gave scores of shape [{string.Join(",", scores.shape)}], expected the shape that it was given."
                );
        }

        return scores.alias().MoveToOuterDisposeScope();
    }

    /// <summary>The truncations of tempered scores, [B,V] to [B,V].</summary>
    public Tensor Truncate(Tensor scores)
    {
        using var scope = NewDisposeScope();
        if (options.TopK > 0)
            scores = LogitProcessors.TopK(scores, options.TopK);
        if (options.TopP < 1)
            scores = LogitProcessors.TopP(scores, options.TopP);
        if (options.MinP > 0)
            scores = LogitProcessors.MinP(scores, options.MinP);
        if (options.TypicalP < 1)
            scores = LogitProcessors.Typical(scores, options.TypicalP);
        if (options.EpsilonCutoff > 0)
            scores = LogitProcessors.EpsilonCutoff(scores, options.EpsilonCutoff);
        if (options.EtaCutoff > 0)
            scores = LogitProcessors.EtaCutoff(scores, options.EtaCutoff);
        return scores.alias().MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        biases?.Dispose();
        badWords?.Dispose();
    }
}
