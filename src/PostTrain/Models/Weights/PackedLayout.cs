using PostTrain.Data.Batches;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>The layout of a padded batch in fewer rows of the same width: whole rows one after the other, each a segment of its own,
/// without padding.</summary>
internal sealed class PackedLayout
{
    private readonly long rows,
        columns,
        packedRows,
        packedColumns;
    private readonly Tensor real,
        target,
        place;

    private PackedLayout(Tensor mask, Tensor real, Tensor target, Tensor place, Tensor segments, long packedRows, long packedColumns)
    {
        (rows, columns) = (mask.size(0), mask.size(1));
        (this.real, this.target, this.place, this.packedRows, this.packedColumns) = (real, target, place, packedRows, packedColumns);
        Segments = Spread(segments.unsqueeze(-1), 1).reshape(packedRows, packedColumns);
    }

    /// <summary>The segment map of the packed rows, [R,C].</summary>
    internal Tensor Segments { get; }

    /// <summary>The layout of a segment map, [B,T], with best-fit decreasing; null where it would spare no row. The tensors belong to the
    /// caller's scope.</summary>
    internal static PackedLayout? Of(Tensor mask)
    {
        using var mode = no_grad();
        var counted = mask.ne(0);
        // One transfer: how many tokens and how many segments each row has.
        var sizes = stack([counted.sum(1), mask.to_type(ScalarType.Int64).amax([1L])]).cpu().data<long>().ToArray();
        int rows = (int)mask.size(0),
            columns = (int)mask.size(1);
        int[] filled = [.. Enumerable.Range(0, rows).Where(row => sizes[row] > 0)];
        var packed = Packing.BestFitDecreasing([.. filled.Select(row => (int)sizes[row])], columns);
        if (packed.Count == 0 || packed.Count == rows)
            return null;

        long width = packed.Max(row => row.Sum(i => sizes[filled[i]]));
        var (start, shift) = (new long[rows], new long[rows]);
        for (int row = 0; row < packed.Count; row++)
        {
            long at = row * width,
                segment = 0;
            foreach (int source in packed[row].Select(i => filled[i]))
            {
                (start[source], shift[source]) = (at, segment);
                at += sizes[source];
                segment += sizes[rows + source];
            }
        }
        var real = counted.reshape(-1).nonzero().squeeze(-1);
        var places = tensor(start, device: mask.device).unsqueeze(1).add(counted.cumsum(1).sub(1)).mul(counted).reshape(-1);
        var segments = tensor(shift, device: mask.device).unsqueeze(1).add(mask).reshape(-1).index_select(0, real);
        return new PackedLayout(mask, real, places.index_select(0, real), places, segments, packed.Count, width);
    }

    /// <summary>[B,T,D] to [R,C,D].</summary>
    internal Tensor Pack(Tensor values) =>
        Spread(values.reshape(rows * columns, -1).index_select(0, real), values.size(2)).reshape(packedRows, packedColumns, -1);

    /// <summary>[R,C,D] to [B,T,D]; padding takes the first position's numbers.</summary>
    internal Tensor Unpack(Tensor values) =>
        values.reshape(packedRows * packedColumns, -1).index_select(0, place).reshape(rows, columns, -1);

    private Tensor Spread(Tensor tokens, long width) => tokens.new_zeros(packedRows * packedColumns, width).index_copy(0, target, tokens);
}
