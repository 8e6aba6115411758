using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Codes of 2 to 8 bits in groups of columns, ŵ = (code − zero) · scale.</summary>
/// <param name="Shape">The tensor's shape.</param>
/// <param name="Type">Type of the numbers that it stands for.</param>
/// <param name="Bits">Bits of a code. Up to 2 lie four to a byte, up to 4 two to a byte, more one to a byte.</param>
/// <param name="GroupSize">Columns of a group.</param>
/// <param name="Codes">[rows, bytes].</param>
/// <param name="Scales">[rows, groups], float32, or float64 of a float64 tensor.</param>
/// <param name="Zeros">[rows, groups], uint8.</param>
/// <param name="GroupOf">The group of each column, [columns], int32; null where column j is in group ⌊j / group size⌋.</param>
public sealed record IntegerQuantized(
    IReadOnlyList<long> Shape,
    ScalarType Type,
    int Bits,
    int GroupSize,
    Tensor Codes,
    Tensor Scales,
    Tensor Zeros,
    Tensor? GroupOf
) : QuantizedTensor(Shape, Type)
{
    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, Tensor Tensor)> Parts =>
        [("codes", Codes), ("scales", Scales), ("zeros", Zeros), .. GroupOf is null ? [] : new[] { ("group_of", GroupOf) }];

    /// <summary>The codes, one an element, fresh, uint8, in <see cref="QuantizedTensor.Shape"/>.</summary>
    public Tensor CodeValues()
    {
        using var scope = NewDisposeScope();
        return CodePacking.Unpack(Codes, Bits, RowLength).reshape([.. Shape]).clone().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override Tensor DequantizeRows(long first, long count)
    {
        CheckRows(first, count);
        using var mode = no_grad();
        var result = empty([count, RowLength], dtype: Scales.dtype, device: Codes.device);
        Fill(first, result);
        return result;
    }

    /// <inheritdoc/>
    public override void DequantizeRows(long first, Tensor destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckRows(first, destination.size(0));
        using var mode = no_grad();
        Fill(first, destination);
    }

    /// <inheritdoc/>
    public override QuantizedTensor MoveTo(Device device) =>
        this with
        {
            Codes = Moved(Codes, device),
            Scales = Moved(Scales, device),
            Zeros = Moved(Zeros, device),
            GroupOf = GroupOf is null ? null : Moved(GroupOf, device),
        };

    private void Fill(long first, Tensor result)
    {
        using var scope = NewDisposeScope();
        var count = result.size(0);
        if (count == 0)
            return;
        if (GroupOf is null && Scales.dtype == ScalarType.Float32 && Memory.Fits(result, Codes.device))
        {
            Loop(first, count, result);
            return;
        }

        var codes = CodePacking.Unpack(Codes.narrow(0, first, count), Bits, RowLength).to_type(Scales.dtype);
        result.copy_((codes - Spread(Zeros.narrow(0, first, count))) * Spread(Scales.narrow(0, first, count)));
    }

    // A group's number for each of its columns.
    private Tensor Spread(Tensor groups) =>
        GroupOf is not null ? groups.index_select(1, GroupOf) : groups.repeat_interleave(GroupSize, 1).narrow(1, 0, RowLength);

    private unsafe void Loop(long first, long count, Tensor result)
    {
        var (codes, scales, zeros, target) = (Memory.Address(Codes), Memory.Address(Scales), Memory.Address(Zeros), Memory.Address(result));
        var (bytes, groups, columns, size) = (Codes.size(1), Scales.size(1), RowLength, (long)GroupSize);
        var per = CodePacking.PerByte(Bits);
        var width = 8 / per;
        var mask = (1 << width) - 1;
        Memory.For(
            count,
            count * columns,
            row =>
            {
                var source = (byte*)codes + (first + row) * bytes;
                var output = (float*)target + row * columns;
                for (long group = 0; group < groups; group++)
                {
                    var scale = ((float*)scales)[(first + row) * groups + group];
                    var zero = ((byte*)zeros)[(first + row) * groups + group];
                    var end = Math.Min(columns, (group + 1) * size);
                    for (var at = group * size; at < end; at++)
                    {
                        var code = per == 1 ? source[at] : (source[at / per] >> (width * (per - 1 - (int)(at % per)))) & mask;
                        output[at] = (code - zero) * scale;
                    }
                }
            }
        );
        GC.KeepAlive(this);
        GC.KeepAlive(result);
    }
}
