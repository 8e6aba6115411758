using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using PostTrain.Text.Files;

namespace PostTrain.Data;

/// <summary>Reads and writes JSON Lines: one JSON object a line, UTF-8.</summary>
/// <remarks>Field names are matched without regard to case and underscores at the top level of a line, so that <c>Prompt</c>,
/// <c>prompt</c>, <c>finalAnswer</c> and <c>final_answer</c> all find their property. Fields that the record does not know are ignored (of
/// a <see cref="Problem"/> they become <see cref="Problem.Fields"/>); a constructor parameter without a default must be there, and one that
/// is not nullable must not be null.</remarks>
public static class JsonLines
{
    /// <summary>The longest line that is read: 64 MiB.</summary>
    internal const int MaximumLineBytes = 64 << 20;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        PropertyNameCaseInsensitive = true,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        AllowDuplicateProperties = false,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    /// <summary>Reads every record of a file. Blank lines are skipped, a byte order mark is accepted.</summary>
    /// <typeparam name="T">A record such as <see cref="Problem"/>, <see cref="Demonstration"/> or
    /// <see cref="PreferencePair"/>.</typeparam>
    /// <param name="path">The file.</param>
    /// <returns>The records in the order of the file, at least one.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A line is not a JSON object, lacks a field, has one of a wrong type, or is longer than 64
    /// MiB; or the file holds no records. The message names the file, the line, what was found and what was expected.</exception>
    public static IReadOnlyList<T> Read<T>(string path) => Read<T>(path, MaximumLineBytes);

    internal static IReadOnlyList<T> Read<T>(string path, int maximumLineBytes)
    {
        using var stream = BoundedFile.Open(path, "a JSON Lines file, one JSON object a line");
        var type = Options.GetTypeInfo(typeof(T));
        var records = new List<T>();
        foreach (var (number, line) in LineReader.Read(stream, path, maximumLineBytes))
        {
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) >= 0)
                records.Add(Parse<T>(line, type, path, number));
        }

        return records.Count > 0
            ? records
            : throw new InvalidDataException($"{path} holds no records, expected one JSON object a line with the fields {Fields(type)}");
    }

    /// <summary>Writes records, one JSON object a line with camelCase names. The file appears whole or not at all.</summary>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="path">The file to create or replace.</param>
    /// <param name="records">The records, in the order of the file.</param>
    /// <exception cref="IOException">The file could not be written; an old one is untouched.</exception>
    public static void Write<T>(string path, IEnumerable<T> records)
    {
        ArgumentNullException.ThrowIfNull(records);
        AtomicFile.Write(
            path,
            stream =>
            {
                foreach (var record in records)
                {
                    JsonSerializer.Serialize(stream, record, Options);
                    stream.WriteByte((byte)'\n');
                }
            }
        );
    }

    /// <summary>A record as the object of its line.</summary>
    internal static JsonObject ToObject<T>(T record) => JsonSerializer.SerializeToNode(record, Options)!.AsObject();

    private static T Parse<T>(ReadOnlyMemory<byte> line, JsonTypeInfo type, string path, int number)
    {
        try
        {
            using var document = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw Refuse(path, number, $"found a JSON {root.ValueKind.ToString().ToLowerInvariant()}", type);
            var renames = Renames(root, type);
            var value = renames.Count == 0 ? root.Deserialize(type) : JsonSerializer.Deserialize(Renamed(root, renames), type);
            return (T)value!;
        }
        catch (JsonException exception)
        {
            throw Refuse(path, number, Describe(exception), type, exception);
        }
        catch (InvalidOperationException exception)
        {
            // What System.Text.Json throws for text that is not UTF-8 or holds half a surrogate pair.
            throw Refuse(path, number, exception.Message, type, exception);
        }
    }

    // snake_case fields whose name without underscores is a property's; the serializer's own comparison ignores only the case.
    private static Dictionary<string, string> Renames(JsonElement root, JsonTypeInfo type)
    {
        var renames = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in root.EnumerateObject())
        {
            var name = field.Name;
            if (!name.Contains('_', StringComparison.Ordinal) || Find(type, name) is not null)
                continue;
            if (Find(type, name.Replace("_", "", StringComparison.Ordinal)) is { } property)
                renames[name] = property;
        }

        return renames;
    }

    private static string? Find(JsonTypeInfo type, string name) =>
        Named(type).FirstOrDefault(property => string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase))?.Name;

    private static ReadOnlySpan<byte> Renamed(JsonElement root, Dictionary<string, string> renames)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var field in root.EnumerateObject())
            {
                writer.WritePropertyName(renames.GetValueOrDefault(field.Name, field.Name));
                field.Value.WriteTo(writer);
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan;
    }

    // The serializer's own "Path: ... | LineNumber: 0 | ..." would name a second, wrong line number.
    internal static string Describe(JsonException exception)
    {
        var message = exception.Message;
        foreach (var end in (ReadOnlySpan<string>)[" Path: ", " LineNumber: "])
        {
            if (message.IndexOf(end, StringComparison.Ordinal) is var cut and >= 0)
                message = message[..cut];
        }

        message = message.TrimEnd('.');
        return exception.Path is { Length: > 1 } field ? $"{message} (at {field})"
            : exception.Path is null && exception.BytePositionInLine is { } position ? $"{message} (at byte {position})"
            : message;
    }

    private static InvalidDataException Refuse(string path, int number, string found, JsonTypeInfo type, Exception? inner = null) =>
        new($"{path}, line {number}: {found}; expected a JSON object with the fields {Fields(type)}", inner);

    private static string Fields(JsonTypeInfo type) =>
        string.Join(", ", Named(type).Select(property => property.IsRequired ? property.Name : $"{property.Name} (optional)"));

    // Without what is ignored and what takes all other fields.
    private static IEnumerable<JsonPropertyInfo> Named(JsonTypeInfo type) =>
        type.Properties.Where(property =>
            !property.IsExtensionData && property.AttributeProvider?.IsDefined(typeof(JsonIgnoreAttribute), inherit: true) != true
        );
}
