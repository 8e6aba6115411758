using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Quantisation by a table of values in blocks of the flattened tensor: NF4, FP4, the dynamic 8-bit map, tables of one's
/// own.</summary>
/// <remarks>bitsandbytes' formats: x · (1 / absmax) in float32, then the nearest value of the table; half-way, the lower one. A block of
/// zeros
/// keeps absmax 0. With NF4 |w − ŵ| is at most 0.1519 absmax, half the table's widest gap.</remarks>
public static class BlockQuantization
{
    /// <summary>The default number of elements of a block of absmax values.</summary>
    public const int NestedBlockSize = 256;

    /// <summary>Quantises a tensor.</summary>
    /// <param name="tensor">Finite numbers of any shape but a scalar's.</param>
    /// <param name="table">The values.</param>
    /// <param name="blockSize">Elements of a block, at least 1; QLoRA has 64.</param>
    /// <param name="doubleQuantization">True to quantise the blocks' absmax values too: their difference from their mean by <see
    /// cref="CodeTable.Dynamic"/> in blocks of <paramref name="nestedBlockSize"/> (QLoRA, section 3).</param>
    /// <param name="nestedBlockSize">Absmax values of a nested block, at least 1.</param>
    /// <exception cref="ArgumentException">The tensor is empty, not of real numbers or not finite.</exception>
    public static BlockQuantized Quantize(
        Tensor tensor,
        CodeTable table,
        int blockSize = 64,
        bool doubleQuantization = false,
        int nestedBlockSize = NestedBlockSize
    )
    {
        QuantizedTensor.CheckInput(tensor, nameof(tensor));
        ArgumentNullException.ThrowIfNull(table);
        Guard.AtLeast(blockSize, 1, nameof(blockSize));
        Guard.AtLeast(nestedBlockSize, 1, nameof(nestedBlockSize));
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var count = tensor.numel();
        var blocks = (count + blockSize - 1) / blockSize;
        var flat = tensor.detach().to_type(ScalarType.Float32).reshape(-1);
        var missing = blocks * blockSize - count;
        if (missing > 0)
            flat = cat([flat, zeros(missing, dtype: ScalarType.Float32, device: flat.device)]);
        var rows = flat.view(blocks, blockSize);
        var absmax = rows.abs().amax([1L]);
        var scaled = (rows * absmax.reciprocal().unsqueeze(1)).masked_fill(absmax.eq(0).unsqueeze(1), 0).clamp(-1, 1);
        var codes = table.Nearest(scaled).reshape(-1).narrow(0, 0, count);
        // An odd number of codes: bitsandbytes fills up with the code of 0.
        var packed = CodePacking.Pack(codes.unsqueeze(0), table.Bits, ZeroCode(table)).reshape(-1);
        var nested = doubleQuantization ? QuantizeAbsmax(absmax, nestedBlockSize) : default;
        return new BlockQuantized(
            tensor.shape,
            tensor.dtype,
            table,
            blockSize,
            packed.DetachFromDisposeScope(),
            doubleQuantization ? null : absmax.DetachFromDisposeScope(),
            nested.Nested,
            nested.Offset
        );
    }

    /// <summary>NF4 in blocks of 64, QLoRA's default.</summary>
    public static BlockQuantized Nf4(Tensor tensor, bool doubleQuantization = false) =>
        Quantize(tensor, CodeTable.Nf4, 64, doubleQuantization);

    /// <summary>Quantises absmax values, [n], none of them negative: their mean, and what they are above it in codes of 8
    /// bits.</summary>
    public static (BlockQuantized Nested, float Offset) QuantizeAbsmax(Tensor absmax, int blockSize = NestedBlockSize)
    {
        QuantizedTensor.CheckInput(absmax, nameof(absmax));
        using var scope = NewDisposeScope();
        var offset = absmax.to_type(ScalarType.Float32).mean();
        return (Quantize(absmax.to_type(ScalarType.Float32) - offset, CodeTable.Dynamic, blockSize), offset.ToSingle());
    }

    private static int ZeroCode(CodeTable table) =>
        table.Order[Array.FindIndex(table.Sorted, value => value >= 0) is var i and >= 0 ? i : 0];
}
