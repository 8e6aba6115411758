using static TorchSharp.torch;

namespace PostTrain.Data.Text;

/// <summary>Encoded texts, a row each. The caller disposes it.</summary>
/// <param name="Ids">Token ids, [B,T], int64; the padding id where a row has ended.</param>
/// <param name="AttentionMask">[B,T], int64; 1 for a token, 0 for padding.</param>
/// <param name="TypeIds">[B,T], int64; which text of a pair; 0 at padding.</param>
/// <param name="SpecialTokensMask">[B,T], int64; 1 for special tokens that were added and for padding.</param>
public sealed record TokenBatch(Tensor Ids, Tensor AttentionMask, Tensor TypeIds, Tensor SpecialTokensMask) : IDisposable
{
    /// <summary>Gives the tensors back.</summary>
    public void Dispose()
    {
        Ids.Dispose();
        AttentionMask.Dispose();
        TypeIds.Dispose();
        SpecialTokensMask.Dispose();
    }
}
