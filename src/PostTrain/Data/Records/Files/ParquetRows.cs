using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Text.Json;
using Parquet;
using Parquet.Meta;
using Parquet.Serialization;
using PostTrain.Text.Files;

namespace PostTrain.Data.Records.Files;

/// <summary>Reads the rows of a Parquet file as objects, one row group in memory at a time.</summary>
internal static class ParquetRows
{
    private const long MostBytes = 4L << 30;
    private const long MostValues = 100_000_000;
    private const int MostDepth = 32;

    internal static IEnumerable<JsonRecord> Of(string path)
    {
        using var stream = BoundedFile.Open(path, RecordRows.Expected);
        int groups = Try(() => Check(stream, path), path);
        int number = 0;
        var buffer = new ArrayBufferWriter<byte>();
        for (int group = 0; group < groups; group++)
        {
            int index = group;
            var rows = Try(
                () =>
                {
                    stream.Position = 0;
                    return ParquetSerializer.DeserializeUntypedAsync(stream, null, index, default).GetAwaiter().GetResult().Data;
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

    // What the file says of itself must be possible before memory is given to it.
    private static int Check(FileStream stream, string path)
    {
        Span<byte> magic = stackalloc byte[4];
        if (stream.Length < 12 || stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4 || !magic.SequenceEqual("PAR1"u8))
            throw new InvalidDataException(
                magic.SequenceEqual("vers"u8)
                    ? $"{path} is the pointer of a large file, not the file itself; download the data (git lfs pull)"
                    : $"{path} is not a Parquet file: it does not begin with PAR1"
            );
        stream.Position = stream.Length - 8;
        Span<byte> end = stackalloc byte[8];
        stream.ReadExactly(end);
        int footer = BitConverter.ToInt32(end);
        if (!end[4..].SequenceEqual("PAR1"u8) || footer < 0 || footer > stream.Length - 12)
            throw new InvalidDataException($"{path} is cut off or damaged: it does not end with a Parquet footer");
        stream.Position = 0;
        var reader = ParquetReader.CreateAsync(stream, null, leaveStreamOpen: true).GetAwaiter().GetResult();
        try
        {
            foreach (var group in reader.Metadata!.RowGroups)
                Check(group, stream.Length, path);
            return reader.RowGroupCount;
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static void Check(RowGroup group, long length, string path)
    {
        long bytes = 0;
        foreach (var column in group.Columns)
        {
            var data =
                column.MetaData ?? throw new InvalidDataException($"{path}: a column has no metadata, expected a whole Parquet file");
            if (
                data.NumValues is < 0 or > MostValues
                || data.TotalUncompressedSize < 0
                || data.TotalCompressedSize < 0
                || data.TotalCompressedSize > length
                || data.DataPageOffset < 0
                || data.DataPageOffset >= length
            )
                throw new InvalidDataException(
                    $"{path}: the column {string.Join('.', data.PathInSchema)} is said to have {data.NumValues} values in "
                        + $"{data.TotalCompressedSize} bytes at {data.DataPageOffset}, expected at most {MostValues} within the "
                        + $"file's {length}"
                );
            bytes += data.TotalUncompressedSize;
        }
        if (group.NumRows is < 0 or > MostValues || bytes > MostBytes)
            throw new InvalidDataException(
                $"{path}: a row group has {group.NumRows} rows and {bytes} bytes, expected at most {MostValues} and {MostBytes}: "
                    + "write the file with smaller row groups"
            );
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
