using System.Buffers.Binary;

namespace PostTrain.Models.Gguf;

/// <summary>Bytes of a GGUF type to numbers, as ggml computes them in float32.</summary>
internal static class GgufDequantizer
{
    /// <summary>Reads whole blocks.</summary>
    internal static void Decode(GgufType type, ReadOnlySpan<byte> bytes, Span<float> values)
    {
        var (elements, size) = (GgufBlocks.Elements(type), GgufBlocks.Bytes(type));
        for (var block = 0; block < values.Length / elements; block++)
            Block(type, bytes.Slice(block * size, size), values.Slice(block * elements, elements));
    }

    internal static float Number(ReadOnlySpan<byte> bytes) => (float)BinaryPrimitives.ReadHalfLittleEndian(bytes);

    private static void Block(GgufType type, ReadOnlySpan<byte> b, Span<float> y)
    {
        switch (type)
        {
            case GgufType.F32:
                y[0] = BinaryPrimitives.ReadSingleLittleEndian(b);
                break;
            case GgufType.F16:
                y[0] = Number(b);
                break;
            case GgufType.BF16:
                y[0] = BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(b) << 16);
                break;
            case GgufType.Q8_0:
                for (var i = 0; i < 32; i++)
                    y[i] = (sbyte)b[2 + i] * Number(b);
                break;
            case GgufType.Q4_0:
                for (var i = 0; i < 32; i++)
                    y[i] = (Nibble(b[2..], i) - 8) * Number(b);
                break;
            case GgufType.Q4_1:
                for (var i = 0; i < 32; i++)
                    y[i] = Nibble(b[4..], i) * Number(b) + Number(b[2..]);
                break;
            case GgufType.Q5_0:
                for (var i = 0; i < 32; i++)
                    y[i] = (Five(b[2..], i) - 16) * Number(b);
                break;
            case GgufType.Q5_1:
                for (var i = 0; i < 32; i++)
                    y[i] = Five(b[4..], i) * Number(b) + Number(b[2..]);
                break;
            default:
                GgufSuperBlocks.Decode(type, b, y);
                break;
        }
    }

    internal static int Nibble(ReadOnlySpan<byte> codes, int i) => i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;

    private static int Five(ReadOnlySpan<byte> codes, int i) =>
        Nibble(codes[4..], i) | (int)((BinaryPrimitives.ReadUInt32LittleEndian(codes) >> i) & 1) << 4;
}
