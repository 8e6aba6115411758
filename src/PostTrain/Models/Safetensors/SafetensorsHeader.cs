using System.Buffers.Binary;
using System.Text.Json;

namespace PostTrain.Models;

/// <summary>The header of a safetensors file: 8 bytes of length (little endian), then a JSON object of name to dtype, shape and
/// data_offsets. Everything is validated before a tensor is allocated.</summary>
internal sealed record SafetensorsHeader(IReadOnlyList<SafetensorsEntry> Entries, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The reference implementation's limit of the header's length, in bytes.</summary>
    public const long MaximumLength = 100_000_000;

    private const int MaximumRank = 64;

    /// <summary>Reads and validates the header at the start of <paramref name="stream"/>.</summary>
    /// <exception cref="InvalidDataException">The header is malformed; the message names <paramref name="fileName"/> and the
    /// reason.</exception>
    public static SafetensorsHeader Read(Stream stream, string fileName)
    {
        var length = stream.Length;
        if (length < 8)
            throw Broken(fileName, $"the file has {length} bytes, expected at least the 8 bytes of the header's length");
        Span<byte> prefix = stackalloc byte[8];
        stream.ReadExactly(prefix);
        var headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (prefix.SequenceEqual("version "u8))
            throw Broken(
                fileName,
                "it begins as the pointer file that Git LFS leaves where the content was not fetched (git lfs pull fetches it)"
            );
        if (headerLength > MaximumLength)
            throw Broken(fileName, $"the header's length is given as {headerLength} bytes, the limit is {MaximumLength}");
        if (headerLength > (ulong)length - 8)
            throw Broken(fileName, $"the header's length is given as {headerLength} bytes, but only {length - 8} follow");

        var bytes = new byte[headerLength];
        stream.ReadExactly(bytes);
        try
        {
            using var json = JsonDocument.Parse(bytes);
            return Parse(json.RootElement, 8 + (long)headerLength, length, fileName);
        }
        catch (JsonException exception)
        {
            throw Broken(fileName, "the header is not JSON: " + exception.Message, exception);
        }
        catch (InvalidOperationException exception)
        {
            // A string with half a surrogate pair cannot become a .NET string.
            throw Broken(fileName, "the header has a string that is not valid text", exception);
        }
    }

    private static SafetensorsHeader Parse(JsonElement root, long start, long fileLength, string fileName)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Broken(fileName, $"the header is JSON of kind {root.ValueKind}, expected an object");
        var entries = new List<SafetensorsEntry>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in root.EnumerateObject())
        {
            var name = property.Name;
            if (!names.Add(name))
                throw Broken(fileName, $"the name '{name}' occurs twice in the header");
            if (name == "__metadata__")
                ReadMetadata(property.Value, metadata, fileName);
            else
                entries.Add(ReadEntry(name, property.Value, start, fileLength, fileName));
        }

        CheckLayout(entries, start, fileLength, fileName);
        return new SafetensorsHeader(entries, metadata);
    }

    private static void ReadMetadata(JsonElement value, Dictionary<string, string> metadata, string fileName)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken(fileName, $"__metadata__ is of kind {value.ValueKind}, expected an object of strings");
        foreach (var item in value.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String)
                throw Broken(fileName, $"__metadata__ '{item.Name}' is of kind {item.Value.ValueKind}, expected a string");
            if (!metadata.TryAdd(item.Name, item.Value.GetString()!))
                throw Broken(fileName, $"the name '{item.Name}' occurs twice in __metadata__");
        }
    }

    private static SafetensorsEntry ReadEntry(string name, JsonElement value, long start, long fileLength, string fileName)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken(fileName, $"tensor '{name}' is described by JSON of kind {value.ValueKind}, expected an object");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var field in value.EnumerateObject())
        {
            if (!seen.Add(field.Name))
                throw Broken(fileName, $"tensor '{name}' has the field '{field.Name}' twice");
        }

        if (!value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Broken(fileName, $"tensor '{name}' has no dtype, expected a string");
        if (!SafetensorsTypes.TryParse(dtype.GetString()!, out var type, out var size))
            throw Broken(
                fileName,
                $"tensor '{name}' has the unknown dtype '{dtype.GetString()}', expected one of {SafetensorsTypes.Known}"
            );

        var shape = ReadIntegers(name, value, "shape", fileName);
        if (shape.Length > MaximumRank)
            throw Broken(fileName, $"tensor '{name}' has {shape.Length} dimensions, the limit is {MaximumRank}");
        var offsets = ReadIntegers(name, value, "data_offsets", fileName);
        if (offsets.Length != 2)
            throw Broken(fileName, $"tensor '{name}' has {offsets.Length} data_offsets, expected 2");

        var expected = ByteLength(name, shape, size, fileName);
        var (begin, end) = (offsets[0], offsets[1]);
        if (end < begin || end > fileLength - start)
            throw Broken(
                fileName,
                $"tensor '{name}' has data_offsets [{begin}, {end}], expected an interval inside the {fileLength - start} bytes of data"
            );
        if (end - begin != expected)
            throw Broken(
                fileName,
                $"tensor '{name}' has {end - begin} bytes, expected {expected} for {dtype.GetString()} [{string.Join(", ", shape)}]"
            );
        return new SafetensorsEntry(name, type, shape, start + begin, expected);
    }

    private static long[] ReadIntegers(string name, JsonElement value, string field, string fileName)
    {
        if (!value.TryGetProperty(field, out var array) || array.ValueKind != JsonValueKind.Array)
            throw Broken(fileName, $"tensor '{name}' has no {field}, expected an array of integers");
        var result = new long[array.GetArrayLength()];
        var index = 0;
        foreach (var item in array.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out var number) || number < 0)
                throw Broken(fileName, $"tensor '{name}' has {item.GetRawText()} in its {field}, expected integers from 0 to 2^63-1");
            result[index++] = number;
        }

        return result;
    }

    private static long ByteLength(string name, long[] shape, int size, string fileName)
    {
        // The product of the non-zero sizes must fit too: [0, 2^62, 2^62] is empty, but its strides overflow.
        var bytes = (Int128)size;
        foreach (var count in shape)
        {
            if (count != 0)
                bytes *= count;
            if (bytes > long.MaxValue)
                throw Broken(fileName, $"tensor '{name}' has the shape [{string.Join(", ", shape)}], which overflows 2^63 bytes");
        }

        return Array.IndexOf(shape, 0L) >= 0 ? 0 : (long)bytes;
    }

    private static void CheckLayout(List<SafetensorsEntry> entries, long start, long fileLength, string fileName)
    {
        var position = start;
        foreach (var entry in entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Length))
        {
            if (entry.Offset < position)
                throw Broken(
                    fileName,
                    $"tensor '{entry.Name}' starts at byte {entry.Offset - start} of the data and overlaps the one before it, which "
                        + $"ends at {position - start}"
                );
            if (entry.Offset > position)
                throw Broken(fileName, $"there is a gap of {entry.Offset - position} bytes before tensor '{entry.Name}', expected none");
            position += entry.Length;
        }

        if (position != fileLength)
            throw Broken(fileName, $"{fileLength - position} bytes follow the last tensor, expected none");
    }

    private static InvalidDataException Broken(string fileName, string reason, Exception? inner = null) =>
        new($"{fileName}: not a safetensors file: {reason}.", inner);
}
