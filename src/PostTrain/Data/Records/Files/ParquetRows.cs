using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Text.Json;
using Parquet.Serialization;
using PostTrain.Text.Files;

namespace PostTrain.Data.Records.Files;

/// <summary>Reads the rows of a Parquet file as objects, one row group in memory at a time.</summary>
internal static class ParquetRows
{
    private const int MostDepth = 32;

    internal static IEnumerable<JsonRecord> Of(string path)
    {
        using var stream = BoundedFile.Open(path, RecordRows.Expected);
        int groups = Try(() => ParquetCheck.Groups(stream, path), path);
        int number = 0;
        var buffer = new ArrayBufferWriter<byte>();
        for (int group = 0; group < groups; group++)
        {
            int index = group;
            var rows = Try(
                () =>
                {
                    using var bounded = ParquetCheck.Bounded(stream, path);
                    return ParquetSerializer.DeserializeUntypedAsync(bounded, null, index, default).GetAwaiter().GetResult().Data;
                },
                path
            );
            foreach (var row in rows)
            {
                number++;
                string place = $"{path}, row {number}";
                buffer.ResetWrittenCount();
                using (var json = new Utf8JsonWriter(buffer))
                    Write(json, row, place, 0);
                using var document = JsonDocument.Parse(buffer.WrittenMemory);
                yield return new JsonRecord(place, document.RootElement);
            }
        }
    }

    private static void Write(Utf8JsonWriter json, object? value, string place, int depth)
    {
        if (depth > MostDepth)
            throw new InvalidDataException($"{place}: the value is nested deeper than {MostDepth} levels");
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case ReadOnlyMemory<char> text:
                json.WriteStringValue(text.Span);
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case float number:
                Number(json, number);
                break;
            case double number:
                Number(json, number);
                break;
            case decimal number:
                json.WriteNumberValue(number);
                break;
            case sbyte or byte or short or ushort or int or uint or long:
                json.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                json.WriteNumberValue(number);
                break;
            case byte[] bytes:
                json.WriteBase64StringValue(bytes);
                break;
            case ReadOnlyMemory<byte> bytes:
                json.WriteBase64StringValue(bytes.Span);
                break;
            case IDictionary fields:
                json.WriteStartObject();
                foreach (DictionaryEntry field in fields)
                {
                    json.WritePropertyName(Convert.ToString(field.Key, CultureInfo.InvariantCulture) ?? "");
                    Write(json, field.Value, place, depth + 1);
                }
                json.WriteEndObject();
                break;
            case IEnumerable items:
                json.WriteStartArray();
                foreach (object? item in items)
                    Write(json, item, place, depth + 1);
                json.WriteEndArray();
                break;
            default:
                json.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    // JSON has no NaN.
    private static void Number(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumberValue(value);
        else
            json.WriteNullValue();
    }

    // A damaged file shows itself in any exception: of indices, of lengths, of the decompressor.
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
        catch (Exception exception) when (exception is not (OperationCanceledException or FileNotFoundException))
        {
            throw new InvalidDataException($"{path} is cut off or damaged, expected a whole Parquet file: {exception.Message}", exception);
        }
    }
}
