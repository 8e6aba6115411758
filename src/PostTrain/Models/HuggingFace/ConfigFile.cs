using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Models.HuggingFace;

/// <summary>A config.json with typed reads whose errors name the file, the field, its content and the expected content.</summary>
internal sealed class ConfigFile : IDisposable
{
    private const long MaximumLength = 16 << 20;

    private readonly JsonDocument document;

    private ConfigFile(string path, JsonDocument document)
    {
        Path = path;
        this.document = document;
    }

    public string Path { get; }

    public static ConfigFile Open(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            throw new FileNotFoundException(
                $"There is no file '{path}'; a checkpoint directory has config.json and model.safetensors.",
                path
            );
        if (file.Length > MaximumLength)
            throw new InvalidDataException($"{path}: the file has {file.Length} bytes, the limit for a configuration is {MaximumLength}.");
        try
        {
            var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { AllowDuplicateProperties = false });
            var kind = document.RootElement.ValueKind;
            if (kind == JsonValueKind.Object)
                return new ConfigFile(path, document);
            document.Dispose();
            throw new InvalidDataException($"{path}: the file holds JSON of kind {kind}, expected an object.");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path}: the file is not JSON: {exception.Message}", exception);
        }
        catch (InvalidOperationException exception)
        {
            // Half a surrogate pair in the name of a field.
            throw new InvalidDataException($"{path}: the file holds text that is not valid: {exception.Message}", exception);
        }
    }

    public string Text(string name) => OptionalText(name) ?? throw Missing(name, "a string");

    public string? OptionalText(string name) =>
        Read(name, "a string", value => value.ValueKind == JsonValueKind.String ? value.GetString() : null);

    public int Size(string name) => OptionalSize(name) ?? throw Missing(name, "a positive integer");

    public int? OptionalSize(string name) =>
        Read<int?>(
            name,
            "a positive integer",
            value => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0 ? number : null
        );

    public double Number(string name, double otherwise) => OptionalNumber(name) ?? otherwise;

    public double? OptionalNumber(string name) =>
        Read<double?>(
            name,
            "a finite number",
            value =>
                value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null
        );

    /// <summary>Reads zero or a positive integer.</summary>
    public int Count(string name, int otherwise) => Read<int?>(name, "zero or a positive integer", Id) ?? otherwise;

    /// <summary>Reads a list of strings; null if there is no such field.</summary>
    public IReadOnlyList<string>? OptionalTexts(string name) =>
        Read(
            name,
            "a list of strings",
            value =>
                value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
                    ? value.EnumerateArray().Select(item => item.GetString()!).ToArray()
                    : null
        );

    /// <summary>Returns true if the file has the field, even if it is null.</summary>
    public bool Has(string name) => document.RootElement.TryGetProperty(name, out _);

    public bool Flag(string name, bool otherwise) =>
        Read<bool?>(
            name,
            "true or false",
            value => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null
        ) ?? otherwise;

    public int? OptionalId(string name) => Read<int?>(name, "a token id", Id);

    /// <summary>Reads one id, a list of ids, or none.</summary>
    public IReadOnlyList<int> Ids(string name) =>
        Read(
            name,
            "a token id or a list of them",
            value =>
            {
                if (value.ValueKind != JsonValueKind.Array)
                    return Id(value) is { } id ? new[] { id } : null;
                var ids = value.EnumerateArray().Select(Id).ToArray();
                return ids.All(id => id is not null) ? ids.Select(id => id!.Value).ToArray() : null;
            }
        ) ?? [];

    /// <summary>Reads an object; null if the field is absent or null, as in many files.</summary>
    public JsonElement? OptionalObject(string name) =>
        Read<JsonElement?>(name, "an object", value => value.ValueKind == JsonValueKind.Object ? value : null);

    /// <summary>Returns an object of the file as a file of its own, with the fields of the whole file that it lacks and that are asked
    /// for.</summary>
    /// <param name="name">The object's field.</param>
    /// <param name="inherited">Fields that the whole file may hold in its place.</param>
    public ConfigFile Nested(string name, params ReadOnlySpan<string> inherited)
    {
        var fields = JsonObject.Create((OptionalObject(name) ?? throw Missing(name, "an object")).Clone())!;
        foreach (var field in inherited)
        {
            if (!fields.ContainsKey(field) && Value(field) is { } value)
                fields[field] = JsonNode.Parse(value.GetRawText());
        }

        return new ConfigFile($"{Path}, {name}", JsonDocument.Parse(fields.ToJsonString()));
    }

    /// <summary>Returns the number of entries of an object, or null if there is no such field.</summary>
    public int? OptionalCount(string name) => OptionalObject(name)?.EnumerateObject().Count();

    /// <summary>Returns a copy of the whole file that outlives it.</summary>
    public JsonElement Everything() => document.RootElement.Clone();

    /// <summary>Returns a field of any kind; null if it is absent or null.</summary>
    public JsonElement? Value(string name) =>
        document.RootElement.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>Returns all fields in the file's order.</summary>
    public IEnumerable<(string Name, JsonElement Value)> Fields() =>
        document.RootElement.EnumerateObject().Select(field => (field.Name, field.Value));

    public InvalidDataException Error(string name, string given, string expected) =>
        new($"{Path}: field '{name}' is {given}, expected {expected}.");

    public void Dispose() => document.Dispose();

    private static int? Id(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id >= 0 ? id : null;

    private T? Read<T>(string name, string expected, Func<JsonElement, T?> convert)
    {
        try
        {
            if (!document.RootElement.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
                return default;
            return convert(value) ?? throw Error(name, Shortened(value), expected);
        }
        catch (InvalidOperationException exception)
        {
            // Half a surrogate pair, in the value or in the name of any field.
            throw new InvalidDataException(
                $"{Path}: field '{name}' is not valid text, or the file has a field whose name is not.",
                exception
            );
        }
    }

    private InvalidDataException Missing(string name, string expected) => new($"{Path}: there is no field '{name}', expected {expected}.");

    private static string Shortened(JsonElement value)
    {
        var text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "...";
    }
}
