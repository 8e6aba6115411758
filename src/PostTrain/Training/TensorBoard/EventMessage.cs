using System.Buffers.Binary;
using System.Text;

namespace PostTrain.Training.TensorBoard;

/// <summary>Encodes the protocol-buffer messages of tensorflow/core/util/event.proto and summary.proto that scalars need.</summary>
internal static class EventMessage
{
    // Field numbers with their wire types: (number << 3) | type, 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
    private const byte WallTime = 1 << 3 | 1,
        Step = 2 << 3,
        FileVersion = 3 << 3 | 2,
        Summary = 5 << 3 | 2,
        SessionLog = 7 << 3 | 2;
    private const byte Value = 1 << 3 | 2,
        Tag = 1 << 3 | 2,
        SimpleValue = 2 << 3 | 5,
        Status = 1 << 3,
        Started = 1;

    /// <summary>Encodes the first event of a file.</summary>
    internal static byte[] Version(double wallTime)
    {
        var message = Begin(wallTime, null);
        Bytes(message, FileVersion, "brain.Event:2"u8);
        return message.ToArray();
    }

    /// <summary>Encodes a session start: it voids events of earlier files at or after its step.</summary>
    internal static byte[] SessionStart(double wallTime, long step)
    {
        var message = Begin(wallTime, step);
        Bytes(message, SessionLog, [Status, Started]);
        return message.ToArray();
    }

    /// <summary>Encodes the values of a step by tag.</summary>
    internal static byte[] Scalars(double wallTime, long step, IEnumerable<KeyValuePair<string, double>> values)
    {
        using var summary = new MemoryStream();
        Span<byte> single = stackalloc byte[4];
        foreach (var (tag, number) in values)
        {
            using var value = new MemoryStream();
            Bytes(value, Tag, Encoding.UTF8.GetBytes(tag));
            value.WriteByte(SimpleValue);
            BinaryPrimitives.WriteSingleLittleEndian(single, (float)number);
            value.Write(single);
            Bytes(summary, Value, value.ToArray());
        }
        var message = Begin(wallTime, step);
        Bytes(message, Summary, summary.ToArray());
        return message.ToArray();
    }

    private static MemoryStream Begin(double wallTime, long? step)
    {
        var message = new MemoryStream();
        message.WriteByte(WallTime);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, wallTime);
        message.Write(bytes);
        // A field with its default value is not written.
        if (step is { } number and not 0)
        {
            message.WriteByte(Step);
            Varint(message, (ulong)number);
        }
        return message;
    }

    private static void Bytes(MemoryStream message, byte field, ReadOnlySpan<byte> value)
    {
        message.WriteByte(field);
        Varint(message, (ulong)value.Length);
        message.Write(value);
    }

    private static void Varint(MemoryStream message, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            message.WriteByte((byte)(value | 0x80));
        message.WriteByte((byte)value);
    }
}
