using System.Buffers.Binary;
using System.Text;

namespace PostTrain.Models.Gguf;

/// <summary>Reads the numbers, texts and arrays of a GGUF header; whatever would pass the end of the file is refused before memory is
/// taken for it.</summary>
internal sealed class GgufReader(Stream stream, string path)
{
    private const int MaximumDepth = 4;
    private const int MaximumTextBytes = 64 << 20;
    private const long MaximumMetadataBytes = 1L << 30;
    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Bytes of the file.</summary>
    internal long Length { get; } = stream.Length;

    internal uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(stackalloc byte[4], what));

    internal ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(stackalloc byte[8], what));

    /// <summary>A number of things that take at least so many bytes each.</summary>
    internal long Count(string what, long leastBytes)
    {
        var count = UInt64($"the number of {what}");
        var rest = (ulong)((Length - stream.Position) / leastBytes);
        if (count > rest)
            throw Broken($"it announces {count} {what}, but its length leaves room for {rest}");
        return (long)count;
    }

    internal string Text(string what, int maximumBytes = MaximumTextBytes)
    {
        var length = UInt64($"the length of {what}");
        if (length > (ulong)maximumBytes)
            throw Broken($"{what} has {length} bytes, expected at most {maximumBytes}");
        if (length > (ulong)(Length - stream.Position))
            throw Broken($"{what} has {length} bytes, but {Length - stream.Position} follow");
        var bytes = new byte[length];
        stream.ReadExactly(bytes);
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException exception)
        {
            throw Broken($"{what} is not UTF-8", exception);
        }
    }

    internal object Value(string what) => Value(Type(what), what, 0);

    internal InvalidDataException Broken(string reason, Exception? inner = null) => new($"{path}: not a GGUF file: {reason}.", inner);

    private GgufValueType Type(string what)
    {
        var type = UInt32($"the type of {what}");
        return type <= (uint)GgufValueType.Float64
            ? (GgufValueType)type
            : throw Broken($"{what} has the type {type}, expected 0 to {(uint)GgufValueType.Float64}");
    }

    private object Value(GgufValueType type, string what, int depth)
    {
        Span<byte> bytes = stackalloc byte[8];
        if (stream.Position > MaximumMetadataBytes)
            throw Broken($"its metadata goes beyond {MaximumMetadataBytes} bytes at {what}");
        return type switch
        {
            GgufValueType.UInt8 => Bytes(bytes[..1], what)[0],
            GgufValueType.Int8 => (sbyte)Bytes(bytes[..1], what)[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(bytes[..2], what)),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(Bytes(bytes[..2], what)),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(bytes[..4], what)),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(Bytes(bytes[..4], what)),
            GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(Bytes(bytes[..4], what)),
            GgufValueType.Bool => Bytes(bytes[..1], what)[0] switch
            {
                0 => false,
                1 => true,
                var other => throw Broken($"{what} is {other}, expected 0 or 1 as a bool"),
            },
            GgufValueType.String => Text(what),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(bytes, what)),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(Bytes(bytes, what)),
            GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(Bytes(bytes, what)),
            _ => List(what, depth + 1),
        };
    }

    private Array List(string what, int depth)
    {
        if (depth > MaximumDepth)
            throw Broken($"{what} has arrays more than {MaximumDepth} deep");
        var type = Type(what);
        return type switch
        {
            GgufValueType.UInt8 => Items<byte>(type, 1, what, depth),
            GgufValueType.Int8 => Items<sbyte>(type, 1, what, depth),
            GgufValueType.UInt16 => Items<ushort>(type, 2, what, depth),
            GgufValueType.Int16 => Items<short>(type, 2, what, depth),
            GgufValueType.UInt32 => Items<uint>(type, 4, what, depth),
            GgufValueType.Int32 => Items<int>(type, 4, what, depth),
            GgufValueType.Float32 => Items<float>(type, 4, what, depth),
            GgufValueType.Bool => Items<bool>(type, 1, what, depth),
            GgufValueType.String => Items<string>(type, 8, what, depth),
            GgufValueType.UInt64 => Items<ulong>(type, 8, what, depth),
            GgufValueType.Int64 => Items<long>(type, 8, what, depth),
            GgufValueType.Float64 => Items<double>(type, 8, what, depth),
            _ => Items<object>(type, 12, what, depth),
        };
    }

    private T[] Items<T>(GgufValueType type, int leastBytes, string what, int depth)
    {
        var count = Count($"elements of {what}", leastBytes);
        if (count * leastBytes > MaximumMetadataBytes)
            throw Broken($"{what} has {count} elements, more than metadata of {MaximumMetadataBytes} bytes hold");
        var items = new T[count];
        for (long i = 0; i < count; i++)
            items[i] = (T)Value(type, what, depth);
        return items;
    }

    private ReadOnlySpan<byte> Bytes(Span<byte> target, string what)
    {
        try
        {
            stream.ReadExactly(target);
        }
        catch (EndOfStreamException exception)
        {
            throw Broken($"it ends within {what}", exception);
        }

        return target;
    }
}
