using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Codes of a table in blocks of the flattened tensor, each block with its largest magnitude: ŵ = table[code] · absmax.</summary>
/// <param name="Shape">The tensor's shape.</param>
/// <param name="Type">Type of the numbers that it stands for.</param>
/// <param name="Table">The values of the codes.</param>
/// <param name="BlockSize">Elements of a block; the last may be shorter.</param>
/// <param name="Codes">Bytes, flat: two codes of 4 bits each, the first in the high half, or one of 8.</param>
/// <param name="Absmax">A number a block, float32; null where <paramref name="NestedAbsmax"/> stands for them.</param>
/// <param name="NestedAbsmax">Double quantisation: the blocks' numbers minus <paramref name="Offset"/>, in codes of 8 bits
/// themselves.</param>
/// <param name="Offset">The number added to them: their mean.</param>
public sealed record BlockQuantized(
    IReadOnlyList<long> Shape,
    ScalarType Type,
    CodeTable Table,
    int BlockSize,
    Tensor Codes,
    Tensor? Absmax,
    BlockQuantized? NestedAbsmax,
    float Offset
) : QuantizedTensor(Shape, Type)
{
    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Tensor Tensor)> Parts =>
        NestedAbsmax is null
            ? [("codes", Codes), ("absmax", Absmax!)]
            : [("codes", Codes), ("absmax", NestedAbsmax.Codes), ("nested_absmax", NestedAbsmax.Absmax!)];

    /// <summary>Number of blocks.</summary>
    public long Blocks => (Count + BlockSize - 1) / BlockSize;

    /// <summary>The blocks' largest magnitudes as the codes multiply them, fresh, float32.</summary>
    public Tensor AbsmaxValues()
    {
        using var scope = NewDisposeScope();
        return AbsmaxValues(0, Blocks).clone().MoveToOuterDisposeScope();
    }

    /// <summary>The codes, one an element, fresh, uint8, in <see cref="QuantizedTensor.Shape"/>.</summary>
    public Tensor CodeValues()
    {
        using var scope = NewDisposeScope();
        return CodePacking.Unpack(Codes.unsqueeze(0), Table.Bits, Count).reshape([.. Shape]).clone().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor DequantizeRows(long first, long count)
    {
        CheckRows(first, count);
        using var mode = no_grad();
        var result = empty([count, RowLength], dtype: ScalarType.Float32, device: Codes.device);
        Fill(first * RowLength, count * RowLength, result);
        return result;
    }

    /// <inheritdoc/>
    public override void DequantizeRows(long first, Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckRows(first, destination.size(0));
        using var mode = no_grad();
        if (destination.dtype == ScalarType.Float32 && destination.is_contiguous())
            Fill(first * RowLength, destination.NumberOfElements, destination);
        else
            base.DequantizeRows(first, destination);
    }

    /// <inheritdoc/>
    public override QuantizedTensor MoveTo(Device device) =>
        this with
        {
            Codes = Moved(Codes, device),
            Absmax = Absmax is null ? null : Moved(Absmax, device),
            NestedAbsmax = (BlockQuantized?)NestedAbsmax?.MoveTo(device),
        };

    private Tensor AbsmaxValues(long first, long count)
    {
        if (NestedAbsmax is null)
            return Absmax!.narrow(0, first, count);
        using var scope = NewDisposeScope();
        return (NestedAbsmax.DequantizeRows(first, count).reshape(-1) + Offset).MoveToOuterDisposeScope();
    }

    // Elements [start, start + count) of the flattened tensor.
    private void Fill(long start, long count, Tensor result)
    {
        if (count == 0)
            return;
        using var scope = NewDisposeScope();
        var firstBlock = start / BlockSize;
        var blocks = (start + count + BlockSize - 1) / BlockSize - firstBlock;
        var scales = AbsmaxValues(firstBlock, blocks).contiguous();
        if (Memory.Fits(result, Codes.device))
        {
            Loop(start, count, firstBlock, blocks, scales, result);
            return;
        }

        // The codes from the first block's start on; a block's start need not be a byte's.
        var per = CodePacking.PerByte(Table.Bits);
        var (from, to) = (firstBlock * BlockSize, Math.Min(Count, (firstBlock + blocks) * BlockSize));
        var bytes = Codes.narrow(0, from / per, (to + per - 1) / per - from / per);
        var codes = CodePacking.Unpack(bytes.unsqueeze(0), Table.Bits, to - from / per * per).reshape(-1);
        codes = codes.narrow(0, from - from / per * per, to - from);
        var values = Table.Tensor(Codes.device).index_select(0, codes.to_type(ScalarType.Int32));
        var spread = scales.repeat_interleave(BlockSize).narrow(0, 0, to - from);
        result.copy_((values * spread).narrow(0, start - from, count).reshape(result.shape));
    }

    private unsafe void Loop(long start, long count, long firstBlock, long blocks, Tensor scales, Tensor result)
    {
        var (codes, factors, target) = (Memory.Address(Codes), Memory.Address(scales), Memory.Address(result));
        var table = new float[256];
        Table.Values.ToArray().CopyTo(table, 0);
        var (narrow, size, end) = (Table.Bits == 4, (long)BlockSize, start + count);
        Memory.For(
            blocks,
            count,
            block =>
            {
                var at = Math.Max(start, (firstBlock + block) * size);
                var stop = Math.Min(end, (firstBlock + block + 1) * size);
                var scale = ((float*)factors)[block];
                var source = (byte*)codes;
                var output = (float*)target - start;
                for (; at < stop; at++)
                {
                    var code =
                        !narrow ? source[at]
                        : (at & 1) == 0 ? source[at >> 1] >> 4
                        : source[at >> 1] & 15;
                    output[at] = table[code] * scale;
                }
            }
        );
        GC.KeepAlive(this);
        GC.KeepAlive(result);
        GC.KeepAlive(scales);
    }
}
