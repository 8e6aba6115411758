using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

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
        (ids, mask) = Context(scores, ids, mask);
        foreach (var (_, apply) in Stages(ids, mask, generated))
            scores = apply(scores);
        return scores.alias().MoveToOuterDisposeScope();
    }

    /// <summary>Names of the options that give a token of a row −∞ which had a score before: why <see cref="Process"/> leaves nothing of
    /// it.</summary>
    /// <param name="scores">As in <see cref="Process"/>.</param>
    /// <param name="ids">As in <see cref="Process"/>.</param>
    /// <param name="mask">As in <see cref="Process"/>.</param>
    /// <param name="generated">As in <see cref="Process"/>.</param>
    /// <param name="row">The row.</param>
    public IReadOnlyList<string> Bans(Tensor scores, Tensor ids, Tensor mask, int generated, int row)
    {
        using var scope = NewDisposeScope();
        (ids, mask) = Context(scores, ids, mask);
        var names = new List<string>();
        foreach (var (option, apply) in Stages(ids, mask, generated))
        {
            var next = apply(scores);
            if (next[row].isneginf().logical_and(scores[row].isneginf().logical_not()).any().ToBoolean())
                names.Add(option);
            scores = next;
        }

        return names;
    }

    // A soft prompt has ids past the vocabulary of what can come out; they are no context of it.
    private static (Tensor Ids, Tensor Mask) Context(Tensor scores, Tensor ids, Tensor mask)
    {
        var last = scores.size(1) - 1;
        return (ids.clamp_max(last), mask.masked_fill(ids.gt(last), 0));
    }

    private IEnumerable<(string Option, Func<Tensor, Tensor> Apply)> Stages(Tensor ids, Tensor mask, int generated)
    {
        if (biases is not null)
            yield return (nameof(options.SequenceBiases), scores => biases.Apply(scores, ids, mask));
        if (options.RepetitionPenalty != 1)
            yield return (
                nameof(options.RepetitionPenalty),
                scores => LogitProcessors.RepetitionPenalty(scores, ids, mask, options.RepetitionPenalty)
            );
        if (options.NoRepeatNGramSize > 0)
            yield return (
                nameof(options.NoRepeatNGramSize),
                scores => LogitProcessors.NoRepeatNGram(scores, ids, mask, options.NoRepeatNGramSize)
            );
        if (badWords is not null)
            yield return (nameof(options.BadWords), scores => badWords.Apply(scores, ids, mask));
        if (generated < options.MinNewTokens)
            yield return (nameof(options.MinNewTokens), scores => LogitProcessors.Suppress(scores, options.StopTokens));
        if (options.SuppressedTokens.Count > 0)
            yield return (nameof(options.SuppressedTokens), scores => LogitProcessors.Suppress(scores, options.SuppressedTokens));
        for (var i = 0; i < options.Processors.Count; i++)
        {
            var processor = options.Processors[i];
            yield return ($"{nameof(options.Processors)}[{i}]", scores => Shaped(processor(scores, ids, mask), ids));
        }
    }

    private static Tensor Shaped(Tensor scores, Tensor ids) =>
        scores.dim() == 2 && scores.size(0) == ids.size(0)
            ? scores
            : throw new InvalidOperationException(
                $"A processor gave scores of shape [{string.Join(",", scores.shape)}], expected the shape that it was given."
            );

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
