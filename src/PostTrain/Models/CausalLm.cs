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
        : base(name)
    {
    }

    /// <summary>Number of token ids, V.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The longest sequence, cached positions included, in tokens.</summary>
    public abstract int ContextLength { get; }

    /// <summary>Logits of every position: [B,T] ids to [B,T,V]; no position is padding.</summary>
    /// <exception cref="ArgumentException">The shape is not [B,T], T is over the context length, or an id is outside the vocabulary.</exception>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        return Project(Hidden(input)).MoveToOuterDisposeScope();
    }

    /// <summary>The last hidden states, after the final normalisation.</summary>
    /// <param name="ids">Token ids, [B,T], int64.</param>
    /// <param name="attentionMask">[B,S], S = cached positions + T; 1 at a real token, 0 at padding, on whichever side. Null: no padding.
    /// A token's position is the number of real tokens before it, so that padding moves nothing. Rows of padding positions hold finite
    /// numbers without meaning.</param>
    /// <param name="cache">Keys and values of the positions before; those of <paramref name="ids"/> are added. A call with a cache is for
    /// generation: it records no gradient.</param>
    /// <returns>[B,T,D].</returns>
    /// <exception cref="ArgumentException">A shape does not fit, or an id is outside the vocabulary; the message names what was given and the limit.</exception>
    public abstract Tensor Hidden(Tensor ids, Tensor? attentionMask = null, KeyValueCache? cache = null);

    /// <summary>The output projection: [...,D] to logits [...,V].</summary>
    public abstract Tensor Project(Tensor hidden);

    /// <summary>An empty cache for <paramref name="batch"/> rows of up to <paramref name="capacity"/> positions, in the model's type and place; the caller disposes it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The batch is not positive, or the capacity is not between 1 and the context length.</exception>
    public abstract KeyValueCache NewCache(int batch, int capacity);
}
