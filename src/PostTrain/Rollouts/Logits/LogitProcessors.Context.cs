using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

public static partial class LogitProcessors
{
    /// <summary>Makes tokens that occur in the context less likely: a score below 0 is multiplied by the penalty, another divided (Keskar
    /// et al. 2019, arXiv:1909.05858), once for each distinct token.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="ids">The context, prompt included, [B,L].</param>
    /// <param name="mask">[B,L]; 0 at padding, which is not context.</param>
    /// <param name="penalty">Positive; 1 changes nothing, below 1 rewards repetition.</param>
    public static Tensor RepetitionPenalty(Tensor scores, Tensor ids, Tensor mask, double penalty)
    {
        Context(scores, ids, mask);
        if (!(penalty > 0) || !double.IsFinite(penalty))
            throw new ArgumentOutOfRangeException(nameof(penalty), penalty, "penalty must be positive and finite.");
        using var scope = NewDisposeScope();
        var seen = zeros_like(scores).scatter_add(1, ids, mask.ne(0).to_type(scores.dtype)).gt(0);
        var penalised = where(scores.lt(0), scores * penalty, scores / penalty);
        return where(seen, penalised, scores).MoveToOuterDisposeScope();
    }

    /// <summary>Bans every token that would repeat an n-gram of the context.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="ids">The context, prompt included, [B,L].</param>
    /// <param name="mask">[B,L]; an n-gram with padding in it is none.</param>
    /// <param name="size">n, at least 1; 1 bans every token of the context.</param>
    public static Tensor NoRepeatNGram(Tensor scores, Tensor ids, Tensor mask, int size)
    {
        Context(scores, ids, mask);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        using var scope = NewDisposeScope();
        var length = ids.size(1);
        if (length < size)
            return scores.alias().MoveToOuterDisposeScope();
        var windows = ids.unfold(1, size, 1);
        var repeats = mask.ne(0).unfold(1, size, 1).all(2);
        if (size > 1)
        {
            var end = ids.narrow(1, length - size + 1, size - 1).unsqueeze(1);
            repeats = repeats.logical_and(windows.narrow(2, 0, size - 1).eq(end).all(2));
        }

        var banned = zeros_like(scores).scatter_add(1, windows.select(2, size - 1), repeats.to_type(scores.dtype)).gt(0);
        return Below(scores, banned).MoveToOuterDisposeScope();
    }

    /// <summary>Adds each sequence's bias to the score of its last token where the context ends with the tokens before it.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="ids">The context, prompt included, [B,L].</param>
    /// <param name="mask">[B,L]; 0 at padding.</param>
    /// <param name="biases">Several for one token add up.</param>
    public static Tensor SequenceBias(Tensor scores, Tensor ids, Tensor mask, IReadOnlyList<SequenceBias> biases)
    {
        Context(scores, ids, mask);
        using var table = new SequenceBiasTable(biases, (int)scores.size(1), scores.device);
        return table.Apply(scores, ids, mask);
    }

    /// <summary>Bans words: the last token of each where the context ends with the tokens before it.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="ids">The context, prompt included, [B,L].</param>
    /// <param name="mask">[B,L]; 0 at padding.</param>
    /// <param name="words">Token ids of each word, at least one.</param>
    public static Tensor BadWords(Tensor scores, Tensor ids, Tensor mask, IReadOnlyList<IReadOnlyList<int>> words)
    {
        ArgumentNullException.ThrowIfNull(words);
        return SequenceBias(scores, ids, mask, [.. words.Select(word => new SequenceBias(word, double.NegativeInfinity))]);
    }

    /// <summary>Bans tokens.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="tokens">Their ids.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public static Tensor Suppress(Tensor scores, IReadOnlyList<int> tokens)
    {
        Matrix(scores);
        InVocabulary(tokens, (int)scores.size(1));
        if (tokens.Count == 0)
            return scores.alias();
        using var scope = NewDisposeScope();
        return scores
            .index_fill(1, tensor(tokens.Select(id => (long)id).ToArray(), device: scores.device), double.NegativeInfinity)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Leaves nothing but these tokens, with the score 0.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="tokens">Their ids, e.g. those that end a text, where the length limit is reached.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    public static Tensor Force(Tensor scores, IReadOnlyList<int> tokens)
    {
        Matrix(scores);
        InVocabulary(tokens, (int)scores.size(1));
        using var scope = NewDisposeScope();
        return full_like(scores, double.NegativeInfinity)
            .index_fill(1, tensor(tokens.Select(id => (long)id).ToArray(), device: scores.device), 0)
            .MoveToOuterDisposeScope();
    }

    private static void InVocabulary(IReadOnlyList<int> tokens, int size)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        foreach (var id in tokens)
        {
            if (id < 0 || id >= size)
                throw new ArgumentOutOfRangeException(nameof(tokens), id, $"tokens must hold ids from 0 to {size - 1}.");
        }
    }

    private static void Context(Tensor scores, Tensor ids, Tensor mask)
    {
        Matrix(scores);
        Guard.Ids(ids, nameof(ids));
        Guard.SameShape(mask, nameof(mask), ids, nameof(ids));
        if (ids.dim() != 2 || ids.size(0) != scores.size(0))
            throw new ArgumentException($"ids has shape {Guard.Shape(ids)}, expected [{scores.size(0)},L]", nameof(ids));
    }
}
