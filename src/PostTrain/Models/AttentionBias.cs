using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// What is added to the attention scores: 0 where a query may look, a large negative number where it may not.
/// </summary>
/// <remarks>The number is finite, so that a query with nothing to look at (padding on the left) gets a uniform average and not NaN. It is
/// large enough that exp gives exactly 0 beside any score that counts: padding changes no bit of a real position's weights except through
/// the length of the sums.</remarks>
internal sealed class AttentionBias : IDisposable
{
    private Tensor? causal;

    /// <summary>The bias for T queries at the end of S positions.</summary>
    /// <param name="mask">[B,S], 1 at a real token; null: all are.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    /// <param name="like">A tensor whose type and place the bias takes.</param>
    /// <returns>[T,S] or [B,1,1,T or 1,S]; null where every query may look at everything.</returns>
    public Tensor? Create(Tensor? mask, long queries, long keys, Tensor like)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var ahead = queries > 1 ? Causal(keys, like).narrow(0, keys - queries, queries).narrow(1, 0, keys) : null;
        if (mask is null)
            return ahead?.MoveToOuterDisposeScope();
        var padding = mask.to_type(like.dtype).sub(1).mul(-Forbidden(like.dtype)).reshape(mask.size(0), 1, 1, 1, keys);
        return (ahead is null ? padding : padding.minimum(ahead)).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        causal?.Dispose();
        causal = null;
    }

    private static double Forbidden(ScalarType type) => type == ScalarType.Float16 ? -6e4 : -1e30;

    // One square table for all calls, doubled when a longer sequence comes.
    private Tensor Causal(long length, Tensor like)
    {
        if (causal is not null && causal.size(0) >= length && causal.dtype == like.dtype
            && causal.device_type == like.device_type && causal.device_index == like.device_index)
            return causal;
        var size = Math.Max(length, 2 * (causal?.size(0) ?? 16));
        var table = full([size, size], Forbidden(like.dtype), dtype: like.dtype, device: like.device).triu(1).DetachFromDisposeScope();
        causal?.Dispose();
        return causal = table;
    }
}
