using System.Buffers;
using System.Text.Json;
using nietras.SeparatedValues;

namespace PostTrain.Data.Records.Files;

/// <summary>Reads the rows of a table with a header as objects of texts. An empty cell is null; a cell with a JSON list of objects, such as
/// messages, is that list.</summary>
internal static class CsvRows
{
    private const int MostCharacters = 64 << 20;
    private const int MostColumns = 10_000;

    internal static IEnumerable<JsonRecord> Of(string path, char separator, int mostCharacters = MostCharacters)
    {
        using var stream = RecordStream.Open(path, long.MaxValue);
        using var text = new BoundedReader(stream, path, mostCharacters);
        using var reader = Try(
            () => Sep.New(separator).Reader(options => options with { Unescape = true, DisableFastFloat = true }).From(text),
            path
        );
        string[] names = [.. reader.Header.ColNames];
        if (names.Length > MostColumns)
            throw new InvalidDataException($"{path} has {names.Length} columns, expected at most {MostColumns}");
        var row = new ArrayBufferWriter<byte>();
        for (int number = 1; Next(reader, path); number++)
        {
            text.Begin();
            string place = $"{path}, row {number} (line {reader.Current.LineNumberFrom})";
            row.ResetWrittenCount();
            Write(row, reader.Current, names, place);
            using var document = JsonDocument.Parse(row.WrittenMemory);
            yield return new JsonRecord(place, document.RootElement);
        }
    }

    private static bool Next(SepReader reader, string path) => Try(reader.MoveNext, path);

    private static void Write(ArrayBufferWriter<byte> buffer, SepReader.Row row, string[] names, string place)
    {
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        try
        {
            for (int i = 0; i < names.Length; i++)
            {
                json.WritePropertyName(names[i]);
                Write(json, row[i].ToString());
            }
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{place}: {exception.Message}", exception);
        }
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string cell)
    {
        if (cell.Length == 0)
            json.WriteNullValue();
        else if (IsList(cell))
            json.WriteRawValue(cell);
        else
            json.WriteStringValue(cell);
    }

    private static bool IsList(string cell)
    {
        if (cell[0] != '[' || cell[^1] != ']')
            return false;
        try
        {
            using var document = JsonDocument.Parse(cell);
            return document.RootElement.GetArrayLength() > 0
                && document.RootElement.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Object);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // Sep says what is wrong with a table in several types of exceptions, without the file's name.
    private static T Try<T>(Func<T> action, string path)
    {
        try
        {
            return action();
        }
        catch (InvalidDataException exception) when (exception.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw;
        }
        catch (Exception exception)
            when (exception is InvalidDataException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            throw new InvalidDataException(
                $"{path}: {exception.Message}; expected a table with a header, and as many cells in each row",
                exception
            );
        }
    }
}
