using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Who sees whom in one forward pass.</summary>
/// <param name="Bias">What is added to the attention scores, [T,S] or [B,1,1,T,S]: 0 where a query may look, a large negative number where it
/// may not; null where every query may look at everything.</param>
/// <param name="Positions">[B,T], int64: how many tokens of its own sequence stand before each query; null without a segment map: all of them.</param>
internal readonly record struct AttentionView(Tensor? Bias, Tensor? Positions);

/// <summary>Makes the <see cref="AttentionView"/> of a segment map.</summary>
/// <remarks>The number for "may not" is finite, so that no row of scores is without one that counts, and it is large enough that exp gives
/// exactly 0 beside any score that does: padding and other sequences change no bit of a position's weights except through the length of
/// the sums. Padding is a segment of its own (0) and sees itself.</remarks>
internal sealed class AttentionPattern : IDisposable
{
    private Tensor? causal;

    /// <summary>The view of T queries at the end of S positions.</summary>
    /// <param name="segments">[B,S]: 0 at padding, k at a token of the row's k-th sequence; null: one sequence, no padding.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    /// <param name="like">A tensor whose type and place the bias takes.</param>
    public AttentionView Create(Tensor? segments, long queries, long keys, Tensor like)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        if (segments is null)
        {
            var ahead = queries > 1 ? Causal(keys, like).narrow(0, keys - queries, queries).narrow(1, 0, keys) : null;
            return new AttentionView(ahead?.MoveToOuterDisposeScope(), null);
        }

        var visible = segments.narrow(1, keys - queries, queries).unsqueeze(-1).eq(segments.unsqueeze(1));
        if (queries > 1)
            visible = visible.tril(keys - queries);
        var bias = visible.to_type(like.dtype).sub(1).mul(-Forbidden(like.dtype)).reshape(segments.size(0), 1, 1, queries, keys);
        return new AttentionView(bias.MoveToOuterDisposeScope(), visible.sum(-1).sub(1).MoveToOuterDisposeScope());
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
