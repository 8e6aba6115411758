using System.Text.Json;
using PostTrain.Text.Chat;
using PostTrain.Text.Files;

namespace PostTrain.Data.Records;

/// <summary>Reads the objects of a file: JSON Lines, or one JSON array.</summary>
internal static class RecordFile
{
    private const string Expected = "JSON Lines, one object a line, or one JSON array of objects";

    /// <summary>Reads and converts every record.</summary>
    /// <typeparam name="T">The result of converting a record.</typeparam>
    /// <param name="path">The file.</param>
    /// <param name="expected">The expected fields, for errors.</param>
    /// <param name="convert">Converts a record; null if it lacks the fields.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is malformed or has no records, or a record lacks fields; the message names file,
    /// place and reason.</exception>
    internal static IReadOnlyList<T> Read<T>(string path, string expected, Func<JsonRecord, IEnumerable<T>?> convert)
    {
        using var stream = BoundedFile.Open(path, Expected);
        var converted = new List<T>();
        foreach (var record in IsArray(stream) ? Array(stream, path) : Lines(stream, path))
        {
            try
            {
                converted.AddRange(convert(record) ?? throw record.Lacks(expected));
            }
            catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or TemplateException)
            {
                // A template rejects it; or a text has an unpaired surrogate or invalid UTF-8.
                throw record.Refuse(exception);
            }
        }
        return converted.Count > 0
            ? converted
            : throw new InvalidDataException($"{path} holds no records, expected {Expected} with {expected}");
    }

    private static bool IsArray(FileStream stream)
    {
        int first;
        do first = stream.ReadByte();
        while (first is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF);
        stream.Position = 0;
        return first == '[';
    }

    private static IEnumerable<JsonRecord> Lines(FileStream stream, string path)
    {
        foreach (var (number, line) in LineReader.Read(stream, path, JsonLines.MaximumLineBytes))
        {
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) < 0)
                continue;
            string place = $"{path}, line {number}";
            using var document = Parse(() => JsonDocument.Parse(line), path, place);
            yield return Record(document.RootElement, place);
        }
    }

    private static IEnumerable<JsonRecord> Array(FileStream stream, string path)
    {
        using var document = Parse(() => JsonDocument.Parse(stream), path, path);
        int number = 0;
        foreach (var item in document.RootElement.EnumerateArray())
            yield return Record(item, $"{path}, record {++number}");
    }

    private static JsonDocument Parse(Func<JsonDocument> parse, string path, string place)
    {
        try
        {
            return parse();
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException(
                $"{place}{(place == path ? $", line {exception.LineNumber + 1}" : "")}: {JsonLines.Describe(exception)}; expected "
                    + $"{Expected}",
                exception
            );
        }
    }

    private static JsonRecord Record(JsonElement item, string place) =>
        item.ValueKind == JsonValueKind.Object
            ? new JsonRecord(place, item)
            : throw new InvalidDataException($"{place}: found a JSON {item.ValueKind.ToString().ToLowerInvariant()}, expected an object");
}
