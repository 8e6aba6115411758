using PostTrain.Numerics;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A causal language model: token ids to logits; position t sees the positions up to t. Hidden states and output projection are
/// separate, so that a loss can project only the positions that count, or in chunks.</summary>
public abstract class CausalLm : nn.Module<Tensor, Tensor>
{
    /// <summary>Creates a model with the name of its module.</summary>
    protected CausalLm(string name)
        : base(name) { }

    /// <summary>Number of token ids, V.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Number of ids accepted as input; larger than <see cref="VocabularySize"/> if some ids are virtual tokens, which are never
    /// predicted.</summary>
    public virtual int InputVocabularySize => VocabularySize;

    /// <summary>Maximum sequence length in tokens, with cached positions, without padding.</summary>
    public abstract int ContextLength { get; }

    /// <summary>Ids that end a generation, according to the model's files. The tokenizer's ids are separate (<see
    /// cref="Rollouts.SamplingOptions.StoppingAt(CausalLm, ITokenizer)"/>). Default none.</summary>
    public virtual IReadOnlyList<int> EndOfSequenceIds => [];

    /// <summary>Width of the embeddings and of the hidden states, D.</summary>
    public abstract int HiddenSize { get; }

    /// <summary>Computes the logits of all positions: [B,T] ids to [B,T,V]; no position is padding.</summary>
    /// <exception cref="ArgumentException">The shape is not [B,T], T exceeds the context length, or an id is outside the
    /// vocabulary.</exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Project(Hidden(input)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the last hidden states, after the final normalisation.</summary>
    /// <param name="ids">Token ids, [B,T], int64.</param>
    /// <param name="attentionMask">The segment map, [B,S], S = cached positions + T: 0 at padding, on either side; k ≥ 1 at a token of the
    /// row's k-th sequence. A token sees only earlier tokens of its own segment, and its position is their number: packed sequences do not
    /// see each other, and padding shifts nothing. A row of one sequence has 1 at its tokens. Null: one sequence per row, no padding.
    /// Outputs at padding are finite and meaningless. S may exceed the context length if no sequence does: a batch of prompts and
    /// completions of several lengths is wider than each of its rows.</param>
    /// <param name="cache">Keys and values of the previous positions; those of <paramref name="ids"/> are added. A call with a cache is for
    /// generation: it records no gradient.</param>
    /// <returns>[B,T,D].</returns>
    /// <exception cref="ArgumentException">A shape does not fit, or an id is outside the vocabulary; the message names the given value and
    /// the limit.</exception>
    public virtual Tensor Hidden(Tensor ids, Tensor? attentionMask = null, KeyValueCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Dimensions != 2)
            throw new ArgumentException($"ids has the shape [{string.Join(",", ids.shape)}], expected [B,T].", nameof(ids));
        Guard.Ids(ids, nameof(ids));
        using var mode = cache is null ? null : no_grad();
        using var scope = NewDisposeScope();
        return HiddenFromEmbeddings(Embed(ids), attentionMask, cache).MoveToOuterDisposeScope();
    }

    /// <summary>Returns the tokens' embeddings as input of the first layer, without positions: [B,T] to [B,T,D].</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public abstract Tensor Embed(Tensor ids);

    /// <summary>Computes <see cref="Hidden"/> from embeddings instead of ids, e.g. with a soft prompt before the tokens: [B,T,D] to
    /// [B,T,D].</summary>
    /// <param name="embeddings">[B,T,D], without positions.</param>
    /// <param name="attentionMask">As in <see cref="Hidden"/>.</param>
    /// <param name="cache">As in <see cref="Hidden"/>.</param>
    /// <exception cref="ArgumentException">A shape does not fit; the message names the given value and the limit.</exception>
    public abstract Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null);

    /// <summary>Applies the output projection: [...,D] to logits [...,V].</summary>
    public abstract Tensor Project(Tensor hidden);

    /// <summary>W, [V,D], where <see cref="Project"/> is the product of the hidden states with it and nothing else; otherwise
    /// null.</summary>
    internal virtual Tensor? OutputWeight => null;

    /// <summary>The logits behind the last of the given positions, [B,V]: <see cref="Hidden"/> with a cache, and <see
    /// cref="Project"/>.</summary>
    internal virtual Tensor NextLogits(Tensor ids, Tensor? attentionMask, KeyValueCache cache)
    {
        using var scope = NewDisposeScope();
        var hidden = Hidden(ids, attentionMask, cache);
        return Project(hidden.select(1, hidden.size(1) - 1)).MoveToOuterDisposeScope();
    }

    /// <summary>Creates an empty cache for <paramref name="batch"/> rows of up to <paramref name="capacity"/> positions, with the model's
    /// type and device; the caller disposes it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The batch is not positive, or the capacity is not between 1 and the context
    /// length.</exception>
    public abstract KeyValueCache NewCache(int batch, int capacity);
}
