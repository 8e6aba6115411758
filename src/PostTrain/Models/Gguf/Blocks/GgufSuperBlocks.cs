using System.Buffers.Binary;

namespace PostTrain.Models.Gguf;

/// <summary>The types whose blocks of 256 hold scales of their own for 16 or 32 entries, and the 4-bit table types.</summary>
internal static class GgufSuperBlocks
{
    private static ReadOnlySpan<sbyte> Table => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    internal static void Decode(GgufType type, ReadOnlySpan<byte> b, Span<float> y)
    {
        switch (type)
        {
            case GgufType.Q2_K:
                Two(b, y);
                break;
            case GgufType.Q3_K:
                Three(b, y);
                break;
            case GgufType.Q4_K:
                Four(b[4..16], [], b[16..], GgufDequantizer.Number(b), GgufDequantizer.Number(b[2..]), y);
                break;
            case GgufType.Q5_K:
                Four(b[4..16], b[16..48], b[48..], GgufDequantizer.Number(b), GgufDequantizer.Number(b[2..]), y);
                break;
            case GgufType.Q6_K:
                Six(b, y);
                break;
            case GgufType.IQ4_NL:
                Tabled(b[2..], GgufDequantizer.Number(b), y);
                break;
            case GgufType.IQ4_XS:
                var high = BinaryPrimitives.ReadUInt16LittleEndian(b[2..]);
                for (var part = 0; part < 8; part++)
                {
                    var scale = (b[4 + part / 2] >> (4 * (part % 2)) & 15) | ((high >> (2 * part) & 3) << 4);
                    Tabled(b.Slice(8 + 16 * part, 16), GgufDequantizer.Number(b) * (scale - 32), y.Slice(32 * part, 32));
                }

                break;
            default:
                throw new NotSupportedException($"the type {type} is not read, expected one of {GgufBlocks.Known}");
        }
    }

    private static void Tabled(ReadOnlySpan<byte> codes, float scale, Span<float> y)
    {
        for (var i = 0; i < 32; i++)
            y[i] = scale * Table[GgufDequantizer.Nibble(codes, i)];
    }

    // 16 bytes of scale (low half) and minimum (high half), 64 bytes of codes, scale, scale of the minima.
    private static void Two(ReadOnlySpan<byte> b, Span<float> y)
    {
        var (d, least) = (GgufDequantizer.Number(b[80..]), GgufDequantizer.Number(b[82..]));
        for (var i = 0; i < 256; i++)
        {
            var (part, inner) = (i / 128, i % 128);
            var scale = b[i / 16];
            var code = b[16 + 32 * part + inner % 32] >> (2 * (inner / 32)) & 3;
            y[i] = d * (scale & 15) * code - least * (scale >> 4);
        }
    }

    // 32 bytes of third bits, 64 bytes of codes, 12 bytes of 16 scales of 6 bits, scale.
    private static void Three(ReadOnlySpan<byte> b, Span<float> y)
    {
        var d = GgufDequantizer.Number(b[108..]);
        var scales = b[96..108];
        for (var i = 0; i < 256; i++)
        {
            var (part, inner, index) = (i / 128, i % 128, i / 16);
            var low = index < 8 ? scales[index] & 15 : scales[index - 8] >> 4;
            var scale = (low | ((scales[8 + index % 4] >> (2 * (index / 4)) & 3) << 4)) - 32;
            var code = b[32 + 32 * part + inner % 32] >> (2 * (inner / 32)) & 3;
            var third = b[inner % 32] >> (4 * part + inner / 32) & 1;
            y[i] = d * scale * (code - (third == 1 ? 0 : 4));
        }
    }

    // 12 bytes of 8 scales and 8 minima of 6 bits; fifth bits where there are some; codes.
    private static void Four(
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<byte> fifth,
        ReadOnlySpan<byte> codes,
        float d,
        float least,
        Span<float> y
    )
    {
        for (var part = 0; part < 8; part++)
        {
            var (scale, minimum) =
                part < 4
                    ? (scales[part] & 63, scales[part + 4] & 63)
                    : ((scales[part + 4] & 15) | (scales[part - 4] >> 6 << 4), (scales[part + 4] >> 4) | (scales[part] >> 6 << 4));
            var (step, offset) = (d * scale, least * minimum);
            for (var i = 0; i < 32; i++)
            {
                var pair = codes[32 * (part / 2) + i];
                var code = part % 2 == 0 ? pair & 15 : pair >> 4;
                if (fifth.Length > 0)
                    code |= (fifth[i] >> part & 1) << 4;
                y[32 * part + i] = step * code - offset;
            }
        }
    }

    // 128 bytes of low halves, 64 bytes of upper bits, 16 signed scales, scale.
    private static void Six(ReadOnlySpan<byte> b, Span<float> y)
    {
        var d = GgufDequantizer.Number(b[208..]);
        for (var i = 0; i < 256; i++)
        {
            var (part, inner) = (i / 128, i % 128);
            var (quarter, l) = (inner / 32, inner % 32);
            var low = b[64 * part + 32 * (quarter % 2) + l] >> (4 * (quarter / 2)) & 15;
            var high = b[128 + 32 * part + l] >> (2 * quarter) & 3;
            var scale = (sbyte)b[192 + 8 * part + 2 * quarter + l / 16];
            y[i] = d * scale * ((low | high << 4) - 32);
        }
    }
}
