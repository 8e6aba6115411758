using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Who sees whom in one forward pass.</summary>
/// <param name="Biases">For each window what is added to the attention scores, [T,S] or [B,1,1,T,S]: 0 where a query may look, a large
/// negative number where it may not; null where every query may look at everything.</param>
/// <param name="Positions">[B,T], int64: how many tokens of its own sequence stand before each query, 0 at padding; null without a segment
/// map: all of them.</param>
internal readonly record struct AttentionView(Tensor?[] Biases, Tensor? Positions);

/// <summary>Makes the <see cref="AttentionView"/> of a segment map.</summary>
/// <remarks>The number for "may not" is finite, so that no row of scores is without one that counts, and it is large enough that exp gives
/// exactly 0 beside any score that does: padding and other sequences change no bit of a position's weights except through the length of
/// the sums. Padding is a segment of its own (0) and sees itself. A window of w holds the last w positions that a query may see.</remarks>
internal sealed class AttentionPattern : IDisposable
{
    // Square tables without a segment map, by window; int.MaxValue: none.
    private readonly Dictionary<int, Tensor> tables = [];

    /// <summary>The view of T queries at the end of S positions.</summary>
    /// <param name="segments">[B,S]: 0 at padding, k at a token of the row's k-th sequence; null: one sequence, no padding.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    /// <param name="like">A tensor whose type and place the bias takes.</param>
    /// <param name="windows">The sliding windows to make a bias for; null: none.</param>
    public AttentionView Create(Tensor? segments, long queries, long keys, Tensor like, int?[] windows)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        if (segments is null)
            return new AttentionView(
                Array.ConvertAll(windows, window => Ahead(window, queries, keys, like)?.MoveToOuterDisposeScope()),
                null
            );

        var own = segments.narrow(1, keys - queries, queries);
        var visible = own.unsqueeze(-1).eq(segments.unsqueeze(1));
        if (queries > 1)
            visible = visible.tril(keys - queries);
        var count = visible.sum(-1);
        var biases = Array.ConvertAll(
            windows,
            window =>
            {
                var near = window < keys ? visible.logical_and(visible.cumsum(-1).gt(count.unsqueeze(-1) - window.Value)) : visible;
                return near.to_type(like.dtype)
                    .sub(1)
                    .mul(-Forbidden(like.dtype))
                    .reshape(segments.size(0), 1, 1, queries, keys)
                    .MoveToOuterDisposeScope();
            }
        );
        return new AttentionView(biases, count.sub(1).mul(own.ne(0)).MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        foreach (var table in tables.Values)
            table.Dispose();
        tables.Clear();
    }

    private static double Forbidden(ScalarType type) => type == ScalarType.Float16 ? -6e4 : -1e30;

    private Tensor? Ahead(int? window, long queries, long keys, Tensor like)
    {
        var limit = window < keys ? window.Value : int.MaxValue;
        if (queries == 1 && limit == int.MaxValue)
            return null;
        return Table(limit, keys, like).narrow(0, keys - queries, queries).narrow(1, 0, keys);
    }

    // One square table a window for all calls, doubled when a longer sequence comes.
    private Tensor Table(int window, long length, Tensor like)
    {
        tables.TryGetValue(window, out var table);
        if (
            table is not null
            && table.size(0) >= length
            && table.dtype == like.dtype
            && table.device_type == like.device_type
            && table.device_index == like.device_index
        )
            return table;
        var size = Math.Max(length, 2 * (table?.size(0) ?? 16));
        var forbidden = full([size, size], Forbidden(like.dtype), dtype: like.dtype, device: like.device);
        var made = forbidden.triu(1);
        if (window < size)
            made = made + forbidden.tril(-window);
        table?.Dispose();
        return tables[window] = made.DetachFromDisposeScope();
    }
}
