using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The positions that each query can see in a forward pass.</summary>
/// <param name="Biases">For each window, the values added to the attention scores, [T,S] or [B,1,1,T,S]: 0 for a visible position, a large
/// negative number for a hidden one; null if every query sees everything.</param>
/// <param name="Positions">[B,T], int64: number of tokens of its own sequence before each query, 0 at padding; null without a segment map:
/// all earlier tokens.</param>
internal readonly record struct AttentionView(Tensor?[] Biases, Tensor? Positions);

/// <summary>Creates the <see cref="AttentionView"/> of a segment map.</summary>
/// <remarks>The number for a hidden position is finite, so that every row of scores has a finite maximum, and large enough that exp gives
/// exactly 0 beside any visible score: padding and other sequences change a position's weights only through the length of the sums. Padding
/// is a segment of its own (0) and sees itself. A window of w contains the last w positions visible to a query.</remarks>
internal sealed class AttentionPattern : IDisposable
{
    // Square tables without a segment map, by window; int.MaxValue: no window.
    private readonly Dictionary<int, Tensor> tables = [];

    /// <summary>Creates the view of T queries at the end of S positions.</summary>
    /// <param name="segments">[B,S]: 0 at padding, k at a token of the row's k-th sequence; null: one sequence, no padding.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    /// <param name="like">A tensor with the type and device of the bias.</param>
    /// <param name="windows">The sliding windows that need a bias; null: no window.</param>
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

    // One square table per window for all calls, doubled for a longer sequence.
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
