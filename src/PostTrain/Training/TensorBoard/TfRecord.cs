using System.Buffers.Binary;
using System.Numerics;

namespace PostTrain.Training.TensorBoard;

/// <summary>The framing of TensorFlow record files: length (8 bytes), masked CRC of the length (4), data, masked CRC of the data (4), all
/// little-endian.</summary>
internal static class TfRecord
{
    private const int HeaderBytes = 12,
        FooterBytes = 4;

    internal static byte[] Frame(ReadOnlySpan<byte> data)
    {
        var record = new byte[HeaderBytes + data.Length + FooterBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(HeaderBytes + data.Length), MaskedCrc(data));
        return record;
    }

    /// <summary>Computes CRC-32C (Castagnoli), rotated right by 15 bits, plus 0xa282ead8. Masking avoids CRCs of data that contain
    /// CRCs.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data) => BitOperations.RotateRight(Crc(data), 15) + 0xa282ead8;

    internal static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        for (; data.Length >= 8; data = data[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        foreach (byte value in data)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
