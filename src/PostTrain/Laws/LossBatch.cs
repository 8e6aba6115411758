using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Laws;

/// <summary>The input of a loss: named tensors, a mask, and the denominator of the whole batch if this is a part of one.</summary>
/// <param name="Tensors">The inputs by name.</param>
/// <param name="Mask">[B,T]; 1 where a position counts.</param>
/// <param name="Denominator">Passed to the aggregation; null for a whole batch.</param>
public sealed record LossBatch(IReadOnlyDictionary<string, LossTensor> Tensors, Tensor Mask, double? Denominator = null)
{
    /// <summary>The tensor with this name.</summary>
    /// <exception cref="KeyNotFoundException">The batch has no tensor with this name.</exception>
    public Tensor this[string name] =>
        Tensors.TryGetValue(name, out var found)
            ? found.Value
            : throw new KeyNotFoundException($"the batch has no tensor \"{name}\", expected one of {string.Join(", ", Tensors.Keys)}");

    internal LossBatch Map(Func<string, LossTensor, Tensor> change) =>
        this with
        {
            Tensors = Tensors.ToDictionary(pair => pair.Key, pair => pair.Value with { Value = change(pair.Key, pair.Value) }),
        };

    /// <summary>Returns the given rows, in this order.</summary>
    internal LossBatch Rows(params long[] rows)
    {
        var index = tensor(rows, device: Mask.device);
        return Map((_, item) => item.Axes == LossAxes.Shared ? item.Value : item.Value.index_select(0, index)) with
        {
            Mask = Mask.index_select(0, index),
        };
    }

    /// <summary>Returns one row of the batch with the given columns only.</summary>
    internal LossBatch Columns(Tensor columns) =>
        Map((_, item) => item.Axes == LossAxes.Token ? item.Value.index_select(1, columns) : item.Value) with
        {
            Mask = Mask.index_select(1, columns),
        };

    /// <summary>Returns all counted positions side by side in one row.</summary>
    internal LossBatch Packed()
    {
        var counted = new CountedRows(Mask);
        var rows = Map(
            (_, item) =>
                item.Axes != LossAxes.Token ? item.Value
                : item.Value.dim() == 2 ? counted.Numbers(item.Value).unsqueeze(0)
                : counted.Vectors(item.Value).reshape([1, -1, .. item.Value.shape[2..]])
        );
        return rows with { Mask = counted.Numbers(Mask).unsqueeze(0) };
    }

    /// <summary>Adds columns that do not count, filled with the fillers.</summary>
    internal LossBatch Padded(int columns)
    {
        Tensor Wider(Tensor value, double filler)
        {
            long[] shape = [.. value.shape];
            shape[1] = columns;
            return cat([value, Filled(value.new_zeros(shape), filler)], 1);
        }
        return Map((_, item) => item.Axes == LossAxes.Token ? Wider(item.Value, item.FillerOrDefault) : item.Value) with
        {
            Mask = Wider(Mask, 0),
        };
    }

    /// <summary>Writes the fillers wherever the mask does not count.</summary>
    internal LossBatch Poisoned()
    {
        var outside = Mask == 0;
        return Map(
            (_, item) =>
                item.Axes != LossAxes.Token
                    ? item.Value
                    : item.Value.masked_fill(
                        outside.reshape([.. outside.shape, .. Enumerable.Repeat(1L, (int)item.Value.dim() - 2)]),
                        item.FillerOrDefault
                    )
        );
    }

    private static Tensor Filled(Tensor value, double filler) =>
        filler == 0 ? value : value.masked_fill(ones_like(value, dtype: ScalarType.Bool), filler);
}
