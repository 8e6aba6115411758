using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>A decoder's forward pass over one position of every row, behind the positions of a cache, in one pass over memory without
/// tensor operators. Made for one cache.</summary>
internal interface IPositionStep : IDisposable
{
    /// <summary>True if the model's modules still are what they were, with the same memory and without hooks.</summary>
    /// <param name="head">The output projection now; null if it is the token embedding.</param>
    bool IsCurrent(TorchSharp.torch.nn.Module<Tensor, Tensor>? head);

    /// <summary>True if the pass takes token ids and gives logits; otherwise it goes from embeddings to hidden states.</summary>
    bool HasEnds { get; }

    /// <summary>Token ids, [B,1] int64, to logits, [B,V]; adds keys and values to the cache and does not count them.</summary>
    /// <param name="ids">The tokens.</param>
    /// <param name="segments">The segment map, [B,S], or null.</param>
    Tensor Logits(Tensor ids, Tensor? segments);

    /// <summary>Embeddings, [B,1,D], to hidden states, [B,1,D].</summary>
    /// <param name="embeddings">The embeddings without positions.</param>
    /// <param name="segments">The segment map, [B,S], or null.</param>
    Tensor Hidden(Tensor embeddings, Tensor? segments);
}
