using PostTrain.Numerics;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// A causal language model: token ids to logits, position t seeing the positions up to t. The pieces are apart, hidden states and output
/// projection, so that a loss can project only the positions that count, or in chunks.
/// </summary>
public abstract class CausalLm : nn.Module<Tensor, Tensor>
{
    /// <summary>Names the module.</summary>
    protected CausalLm(string name)
        : base(name) { }

    /// <summary>Number of token ids, V.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Number of ids that may be read; more than <see cref="VocabularySize"/> where some stand for virtual tokens, which are never
    /// predicted.</summary>
    public virtual int InputVocabularySize => VocabularySize;

    /// <summary>The longest sequence, cached positions included and padding not, in tokens.</summary>
    public abstract int ContextLength { get; }

    /// <summary>Ids that end a generation, as the model's files name them; the tokenizer's are apart
    /// (<see cref="Rollouts.SamplingOptions.StoppingAt(CausalLm, ITokenizer)"/>). Default none.</summary>
    public virtual IReadOnlyList<int> EndOfSequenceIds => [];

    /// <summary>Width of the embeddings and of the hidden states, D.</summary>
    public abstract int HiddenSize { get; }

    /// <summary>Logits of every position: [B,T] ids to [B,T,V]; no position is padding.</summary>
    /// <exception cref="ArgumentException">The shape is not [B,T], T is over the context length, or an id is outside the
    /// vocabulary.</exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Project(Hidden(input)).MoveToOuterDisposeScope();
    }

    /// <summary>The last hidden states, after the final normalisation.</summary>
    /// <param name="ids">Token ids, [B,T], int64.</param>
    /// <param name="attentionMask">
    /// The segment map, [B,S], S = cached positions + T: 0 at padding, on whichever side; k ≥ 1 at a token of the row's k-th sequence. A
    /// token sees only what stands before it in its own segment, and its position is the number of tokens that stand there: packed
    /// sequences do not see each other, and padding moves nothing. A row of one sequence has 1 at its tokens, as everywhere. Null: one
    /// sequence a row, no padding. Padding positions give finite numbers without meaning. S may be over the context length where no
    /// sequence is: a batch of prompts and completions of several lengths is wider than each of its rows.
    /// </param>
    /// <param name="cache">Keys and values of the positions before; those of <paramref name="ids"/> are added. A call with a cache is for
    /// generation: it records no gradient.</param>
    /// <returns>[B,T,D].</returns>
    /// <exception cref="ArgumentException">A shape does not fit, or an id is outside the vocabulary; the message names what was given and
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

    /// <summary>The tokens' embeddings as the first layer takes them, but without positions: [B,T] to [B,T,D].</summary>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public abstract Tensor Embed(Tensor ids);

    /// <summary><see cref="Hidden"/> of embeddings instead of ids, e.g. with a soft prompt before the tokens': [B,T,D] to
    /// [B,T,D].</summary>
    /// <param name="embeddings">[B,T,D], without positions.</param>
    /// <param name="attentionMask">As in <see cref="Hidden"/>.</param>
    /// <param name="cache">As in <see cref="Hidden"/>.</param>
    /// <exception cref="ArgumentException">A shape does not fit; the message names what was given and the limit.</exception>
    public abstract Tensor HiddenFromEmbeddings(Tensor embeddings, Tensor? attentionMask = null, KeyValueCache? cache = null);

    /// <summary>The output projection: [...,D] to logits [...,V].</summary>
    public abstract Tensor Project(Tensor hidden);

    /// <summary>An empty cache for <paramref name="batch"/> rows of up to <paramref name="capacity"/> positions, in the model's type and
    /// place; the caller disposes it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The batch is not positive, or the capacity is not between 1 and the context
    /// length.</exception>
    public abstract KeyValueCache NewCache(int batch, int capacity);
}
