using System.Text.Json;

namespace PostTrain.Data.Records.Files;

/// <summary>Reads the objects of a file: JSON Lines, or one JSON array.</summary>
internal static class JsonRows
{
    // A record, and what is read ahead of it.
    private const long MostBytes = 2L * JsonLines.MaximumLineBytes;
    private const string Expected = "JSON Lines, one object a line, or one JSON array of objects";

    internal static IEnumerable<JsonRecord> Of(string path, long mostBytes = MostBytes)
    {
        foreach (var record in IsArray(path, mostBytes) ? Array(path, mostBytes) : Lines(path))
            yield return record;
    }

    private static bool IsArray(string path, long mostBytes)
    {
        using var stream = RecordStream.Open(path, mostBytes);
        int first;
        do first = stream.ReadByte();
        while (first is ' ' or '\t' or '\r' or '\n' or 0xEF or 0xBB or 0xBF);
        return first == '[';
    }

    // Lines have a limit of their own.
    private static IEnumerable<JsonRecord> Lines(string path)
    {
        using var stream = RecordStream.Open(path, long.MaxValue);
        foreach (var (number, line) in LineReader.Read(stream, path, JsonLines.MaximumLineBytes))
        {
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) < 0)
                continue;
            string place = $"{path}, line {number}";
            using var document = Parse(line, place);
            yield return Record(document.RootElement, place);
        }
    }

    // An element at a time; what is asynchronous about it ends at once, as a file does not wait.
    private static IEnumerable<JsonRecord> Array(string path, long mostBytes)
    {
        using var stream = RecordStream.Open(path, mostBytes);
        var items = JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(stream).GetAsyncEnumerator();
        try
        {
            for (int number = 1; Next(items, path); number++)
            {
                stream.Begin();
                yield return Record(items.Current, $"{path}, record {number}");
            }
        }
        finally
        {
            items.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static bool Next(IAsyncEnumerator<JsonElement> items, string path)
    {
        try
        {
            return items.MoveNextAsync().AsTask().GetAwaiter().GetResult();
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException(
                $"{path}, line {exception.LineNumber + 1}: {JsonLines.Describe(exception)}; expected {Expected}",
                exception
            );
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> line, string place)
    {
        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{place}: {JsonLines.Describe(exception)}; expected {Expected}", exception);
        }
    }

    private static JsonRecord Record(JsonElement item, string place) =>
        item.ValueKind == JsonValueKind.Object
            ? new JsonRecord(place, item)
            : throw new InvalidDataException($"{place}: found a JSON {item.ValueKind.ToString().ToLowerInvariant()}, expected an object");
}
