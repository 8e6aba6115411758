using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Keys and values of virtual positions before the first token of every row, with gradients and without a rotary embedding of the
/// keys.</summary>
/// <param name="Values">[2·layers,H_kv,n,Dh]: keys of layer 0, values of layer 0, keys of layer 1, ...</param>
internal sealed record KeyValuePrefix(Tensor Values)
{
    /// <summary>Number of virtual positions, n.</summary>
    public int Length => (int)Values.size(2);

    /// <summary>Puts the prefix before a layer's keys and values: [B,H_kv,T,Dh] to [B,H_kv,n+T,Dh].</summary>
    public (Tensor Keys, Tensor Values) Before(int layer, Tensor keys, Tensor values) =>
        (cat([Rows(2L * layer, keys), keys], 2), cat([Rows(2L * layer + 1, values), values], 2));

    private Tensor Rows(long index, Tensor like) =>
        Values.narrow(0, index, 1).to_type(like.dtype).expand(like.size(0), like.size(1), Length, like.size(3));
}
