using static TorchSharp.torch;

namespace PostTrain.Data;

/// <summary>Rows for a language model. The labels are not shifted: position t holds the label of token t. The caller disposes it.</summary>
/// <param name="Ids">[B,T], int64.</param>
/// <param name="Labels">[B,T], int64; −100 where nothing is learnt.</param>
/// <param name="AttentionMask">[B,T], int64; 1 for tokens. Null for a batch without padding.</param>
/// <param name="Positions">[B,T], int64; the position within its sequence. Null for a padded batch.</param>
public sealed record LanguageModelBatch(Tensor Ids, Tensor Labels, Tensor? AttentionMask, Tensor? Positions) : IDisposable
{
    /// <summary>Gives the tensors back.</summary>
    public void Dispose()
    {
        Ids.Dispose();
        Labels.Dispose();
        AttentionMask?.Dispose();
        Positions?.Dispose();
    }
}
