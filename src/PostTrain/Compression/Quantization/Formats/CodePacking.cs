using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>Codes of 2 or 4 bits side by side in bytes; the first code in the highest bits, as bitsandbytes has it.</summary>
internal static class CodePacking
{
    /// <summary>Codes in a byte: 4 of up to 2 bits, 2 of up to 4, else 1.</summary>
    public static int PerByte(int bits) =>
        bits <= 2 ? 4
        : bits <= 4 ? 2
        : 1;

    /// <summary>[rows, n] codes, uint8, to [rows, ⌈n / per byte⌉] bytes; a row's missing codes at its end are 0.</summary>
    public static Tensor Pack(Tensor codes, int bits, int padding = 0)
    {
        var per = PerByte(bits);
        if (per == 1)
            return codes.contiguous().clone();
        using var scope = NewDisposeScope();
        var (rows, length) = (codes.size(0), codes.size(1));
        var missing = (per - length % per) % per;
        var whole = missing == 0 ? codes : cat([codes, full([rows, missing], padding, codes.dtype, codes.device)], 1);
        var parts = whole.to_type(ScalarType.Int32).reshape(rows, -1, per);
        var packed = parts.select(2, 0);
        for (var i = 1; i < per; i++)
            packed = packed * (1 << (8 / per)) + parts.select(2, i);
        return packed.to_type(ScalarType.Byte).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>[rows, bytes] back to [rows, count] codes, uint8.</summary>
    public static Tensor Unpack(Tensor packed, int bits, long count)
    {
        var per = PerByte(bits);
        if (per == 1)
            return packed.alias();
        using var scope = NewDisposeScope();
        var rows = packed.size(0);
        var table = Table(per, packed.device);
        var indices = packed.reshape(-1).to_type(ScalarType.Int32);
        return table.index_select(0, indices).reshape(rows, -1).narrow(1, 0, count).MoveToOuterDisposeScope();
    }

    // The codes of each byte, [256, per].
    private static Tensor Table(int per, Device device)
    {
        var bits = 8 / per;
        var values = new byte[256 * per];
        for (var i = 0; i < 256; i++)
        for (var j = 0; j < per; j++)
            values[i * per + j] = (byte)((i >> (bits * (per - 1 - j))) & ((1 << bits) - 1));
        return tensor(values, dtype: ScalarType.Byte, device: device).reshape(256, per);
    }
}
