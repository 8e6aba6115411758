using static TorchSharp.torch;

namespace PostTrain.Data;

/// <summary>Preference pairs: all chosen rows, then all rejected ones in the same order. The caller disposes it.</summary>
/// <param name="Ids">[2B,T], int64; prompt and completion, padded on the right.</param>
/// <param name="AttentionMask">[2B,T], int64; 1 for tokens.</param>
/// <param name="CompletionMask">[2B,T], int64; 1 for the completion's tokens.</param>
public sealed record PreferenceBatch(Tensor Ids, Tensor AttentionMask, Tensor CompletionMask) : IDisposable
{
    /// <summary>Gives the tensors back.</summary>
    public void Dispose()
    {
        Ids.Dispose();
        AttentionMask.Dispose();
        CompletionMask.Dispose();
    }
}
