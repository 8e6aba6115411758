using System.Buffers.Binary;

namespace PostTrain.Models.Gguf;

/// <summary>Numbers to the bytes of a GGUF type, as ggml's reference functions round them.</summary>
internal static class GgufQuantizer
{
    /// <summary>The types that are written.</summary>
    internal static bool Writes(GgufType type) =>
        type
            is GgufType.F32
                or GgufType.F16
                or GgufType.BF16
                or GgufType.Q4_0
                or GgufType.Q4_1
                or GgufType.Q5_0
                or GgufType.Q5_1
                or GgufType.Q8_0;

    /// <summary>Writes whole blocks.</summary>
    /// <param name="type">A type that <see cref="Writes"/>.</param>
    /// <param name="values">A multiple of the block's elements.</param>
    /// <param name="bytes">As many blocks.</param>
    internal static void Encode(GgufType type, ReadOnlySpan<float> values, Span<byte> bytes)
    {
        var (elements, size) = (GgufBlocks.Elements(type), GgufBlocks.Bytes(type));
        for (var block = 0; block < values.Length / elements; block++)
            Block(type, values.Slice(block * elements, elements), bytes.Slice(block * size, size));
    }

    private static void Block(GgufType type, ReadOnlySpan<float> x, Span<byte> bytes)
    {
        switch (type)
        {
            case GgufType.F32:
                BinaryPrimitives.WriteSingleLittleEndian(bytes, x[0]);
                break;
            case GgufType.F16:
                BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)x[0]);
                break;
            case GgufType.BF16:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, Brain(x[0]));
                break;
            case GgufType.Q8_0:
                Eight(x, bytes);
                break;
            case GgufType.Q4_0:
                Symmetric(x, bytes, bits: 4);
                break;
            case GgufType.Q5_0:
                Symmetric(x, bytes, bits: 5);
                break;
            case GgufType.Q4_1:
                Asymmetric(x, bytes, bits: 4);
                break;
            case GgufType.Q5_1:
                Asymmetric(x, bytes, bits: 5);
                break;
            default:
                throw new NotSupportedException($"{type} is read only");
        }
    }

    /// <summary>bfloat16 by rounding to the nearest, ties to even; a NaN stays one.</summary>
    private static ushort Brain(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)((bits >> 16) | 64) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static void Eight(ReadOnlySpan<float> x, Span<byte> bytes)
    {
        float largest = 0;
        foreach (var value in x)
            largest = Math.Max(largest, Math.Abs(value));
        var scale = largest / 127;
        var inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)scale);
        for (var i = 0; i < x.Length; i++)
            bytes[2 + i] = (byte)(sbyte)MathF.Round(x[i] * inverse, MidpointRounding.AwayFromZero);
    }

    // The entry of the largest magnitude, the first of equals, gets the code 0: -2^(bits-1).
    private static void Symmetric(ReadOnlySpan<float> x, Span<byte> bytes, int bits)
    {
        float largest = 0;
        foreach (var value in x)
        {
            if (Math.Abs(value) > Math.Abs(largest))
                largest = value;
        }

        var half = 1 << (bits - 1);
        var scale = largest / -half;
        var inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)scale);
        Span<byte> codes = stackalloc byte[32];
        for (var i = 0; i < x.Length; i++)
            codes[i] = (byte)Math.Clamp((int)((double)x[i] * inverse + (half + 0.5)), 0, 2 * half - 1);
        Pack(codes, bytes[2..], bits);
    }

    private static void Asymmetric(ReadOnlySpan<float> x, Span<byte> bytes, int bits)
    {
        var (least, largest) = (float.PositiveInfinity, float.NegativeInfinity);
        foreach (var value in x)
            (least, largest) = (Math.Min(least, value), Math.Max(largest, value));
        var steps = (1 << bits) - 1;
        var scale = (largest - least) / steps;
        var inverse = scale == 0 ? 0 : 1 / scale;
        BinaryPrimitives.WriteHalfLittleEndian(bytes, (Half)scale);
        BinaryPrimitives.WriteHalfLittleEndian(bytes[2..], (Half)least);
        Span<byte> codes = stackalloc byte[32];
        for (var i = 0; i < x.Length; i++)
            codes[i] = (byte)Math.Clamp((int)((x[i] - least) * inverse + 0.5f), 0, steps);
        Pack(codes, bytes[4..], bits);
    }

    // Entry i is the low half of byte i, entry i + 16 the high one; fifth bits stand in 4 bytes before.
    private static void Pack(ReadOnlySpan<byte> codes, Span<byte> bytes, int bits)
    {
        if (bits == 5)
        {
            uint high = 0;
            for (var i = 0; i < 32; i++)
                high |= (uint)(codes[i] >> 4) << i;
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, high);
            bytes = bytes[4..];
        }

        for (var i = 0; i < 16; i++)
            bytes[i] = (byte)((codes[i] & 15) | ((codes[i + 16] & 15) << 4));
    }
}
