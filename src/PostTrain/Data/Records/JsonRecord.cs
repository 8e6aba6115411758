using System.Globalization;
using System.Text.Json;
using PostTrain.Text;
using PostTrain.Text.Chat;

namespace PostTrain.Data.Records;

/// <summary>One object of a data set. Its fields are found by any of several names, ignoring case and underscores.</summary>
/// <param name="place">Its place in the file, for errors.</param>
/// <param name="json">The object.</param>
internal sealed class JsonRecord(string place, JsonElement json)
{
    private readonly Dictionary<string, JsonProperty> fields = Index(json);
    private readonly HashSet<string> read = new(StringComparer.Ordinal);
    private readonly List<DataFinding> findings = [];

    /// <summary>Its place in the file.</summary>
    public string Place { get; } = place;

    /// <summary>Findings about the record.</summary>
    public IReadOnlyList<DataFinding> Findings => findings;

    /// <summary>Names of the fields, and whether they have been read.</summary>
    public IEnumerable<(string Name, bool IsRead)> Fields => fields.Values.Select(each => (each.Name, read.Contains(each.Name)));

    /// <summary>Adds a finding about the record.</summary>
    public void Note(DataFinding finding) => findings.Add(finding);

    /// <summary>Converts the record. Every error names its place.</summary>
    /// <param name="convert">Converts; null if it lacks the fields.</param>
    /// <param name="expected">The expected fields, for errors.</param>
    /// <exception cref="InvalidDataException">The record lacks fields, or its template refuses it.</exception>
    public IReadOnlyList<T> Convert<T>(Func<JsonRecord, IEnumerable<T>?> convert, string expected)
    {
        try
        {
            return convert(this)?.ToArray() ?? throw Lacks(expected);
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException or TemplateException)
        {
            // A template rejects it; or a text has an unpaired surrogate or invalid UTF-8.
            throw Refuse(exception);
        }
    }

    /// <summary>Returns the text of the first of the names that has a value; numbers and Booleans become texts.</summary>
    /// <exception cref="InvalidDataException">The value is a list or an object.</exception>
    public string? Text(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } field)
            return null;
        return field.Value.ValueKind switch
        {
            JsonValueKind.String => field.Value.GetString(),
            JsonValueKind.Number => Number(field.Value),
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => throw Wrong(field, "a text"),
        };
    }

    /// <summary>Returns a text like <see cref="Text"/>, or a text rendered by a template, as <see cref="JsonLines"/> writes it.</summary>
    public MarkedText? Marked(params ReadOnlySpan<string> names)
    {
        if (Find(names) is { Value.ValueKind: JsonValueKind.Object } field && MarkedTextConverter.Of(field.Value) is { } marked)
            return marked;
        return Text(names) is { } text ? new MarkedText(text) : default(MarkedText?);
    }

    /// <summary>Returns the objects of a list; null if the record has none under the name.</summary>
    public IReadOnlyList<JsonRecord>? List(string name)
    {
        if (Find(name) is not { } field)
            return null;
        if (
            field.Value.ValueKind != JsonValueKind.Array
            || field.Value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Object)
        )
            throw Wrong(field, "a list of objects");
        return [.. field.Value.EnumerateArray().Select((item, i) => new JsonRecord($"{Place}, {field.Name}[{i}]", item))];
    }

    /// <summary>Returns the texts of a list; null if the record has none under the names.</summary>
    public IReadOnlyList<string>? Texts(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } field)
            return null;
        if (
            field.Value.ValueKind != JsonValueKind.Array
            || field.Value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String)
        )
            throw Wrong(field, "a list of texts");
        return [.. field.Value.EnumerateArray().Select(item => item.GetString()!)];
    }

    /// <summary>Returns labels: true or false, or whole numbers from 0.</summary>
    public IReadOnlyList<int>? Labels(string name)
    {
        if (Find(name) is not { } field)
            return null;
        if (field.Value.ValueKind != JsonValueKind.Array)
            throw Wrong(field, "a list of true and false, or of whole numbers from 0");
        return
        [
            .. field
                .Value.EnumerateArray()
                .Select(item => Label(item) ?? throw Wrong(field, "a list of true and false, or of whole numbers from 0")),
        ];
    }

    /// <summary>Returns a verdict: true or false, 1 or 0.</summary>
    public bool? Verdict(params ReadOnlySpan<string> names) =>
        Find(names) is not { } field
            ? null
            : Label(field.Value) switch
            {
                0 => false,
                1 => true,
                _ => throw Wrong(field, "true or false"),
            };

    /// <summary>Returns true if the value under one of the names is a list, as for messages.</summary>
    public bool HoldsMessages(params ReadOnlySpan<string> names) => Find(names) is { Value.ValueKind: JsonValueKind.Array };

    /// <summary>Returns messages with role and content, or with from and value as in ShareGPT; null if the record has none.</summary>
    public IReadOnlyList<ChatMessage>? Messages(params ReadOnlySpan<string> names)
    {
        if (Find(names) is not { } field)
            return null;
        if (field.Value.ValueKind != JsonValueKind.Array)
            throw Wrong(field, "a list of messages");
        return
        [
            .. field
                .Value.EnumerateArray()
                .Select(item =>
                    Message(item) ?? throw Wrong(field, "a list of messages, objects with role and content or with from and value")
                ),
        ];
    }

    /// <summary>Returns the fields that have not been read.</summary>
    public ProblemFields Others()
    {
        var others = json.EnumerateObject().Where(field => !read.Contains(field.Name)).ToArray();
        read.UnionWith(others.Select(field => field.Name));
        return others.Length == 0
            ? ProblemFields.Empty
            : new ProblemFields(others.DistinctBy(field => field.Name).ToDictionary(field => field.Name, field => field.Value.Clone()));
    }

    /// <summary>Returns JSON schemas of functions: a list of objects, or a text with such a list; null if the record has none.</summary>
    public IReadOnlyList<JsonElement>? Schemas(string name)
    {
        if (Find(name) is not { } field)
            return null;
        var list = field.Value.ValueKind == JsonValueKind.String ? Parsed(field.Value.GetString()!) : field.Value;
        if (
            list is not { ValueKind: JsonValueKind.Array } schemas
            || schemas.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Object)
        )
            throw Wrong(field, "a list of objects, or a text with such a list as JSON");
        return schemas.GetArrayLength() == 0 ? null : [.. schemas.EnumerateArray().Select(item => item.Clone())];
    }

    /// <summary>Creates the error for a record without the expected fields.</summary>
    public InvalidDataException Lacks(string expected) =>
        new(
            $"{Place} has the fields "
                + $"{(fields.Count == 0 ? "of an empty object" : string.Join(", ", fields.Values.Select(field => field.Name)))}, expected "
                + $"{expected}"
        );

    /// <summary>Creates the error for an invalid record, with its place.</summary>
    public InvalidDataException Refuse(Exception reason)
    {
        // The parameter name means nothing to the reader of a file.
        string message = reason is ArgumentException { ParamName: { } name }
            ? reason.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal)
            : reason.Message;
        return new InvalidDataException($"{Place}: {message}", reason);
    }

    private JsonProperty? Find(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (fields.TryGetValue(name, out var field) && field.Value.ValueKind != JsonValueKind.Null)
            {
                read.Add(field.Name);
                return field;
            }
        return null;
    }

    private InvalidDataException Wrong(JsonProperty field, string expected) =>
        new($"{Place}: the field {field.Name} is a JSON {field.Value.ValueKind.ToString().ToLowerInvariant()}, expected {expected}");

    private static Dictionary<string, JsonProperty> Index(JsonElement json)
    {
        var fields = new Dictionary<string, JsonProperty>(StringComparer.OrdinalIgnoreCase);
        foreach (var field in json.EnumerateObject())
            fields.TryAdd(field.Name.Replace("_", "", StringComparison.Ordinal), field);
        return fields;
    }

    private static JsonElement? Parsed(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Tables write 51 as 51.0.
    private static string Number(JsonElement value) =>
        value.TryGetDecimal(out var number)
            ? number.ToString("0.############################", CultureInfo.InvariantCulture)
            : value.GetRawText();

    private static int? Label(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.True => 1,
            JsonValueKind.False => 0,
            JsonValueKind.Number when value.TryGetInt32(out int label) && label >= 0 => label,
            // Tables hold texts only, and Python writes True.
            JsonValueKind.String => value.GetString()!.ToLowerInvariant() switch
            {
                "true" or "1" => 1,
                "false" or "0" => 0,
                _ => null,
            },
            _ => null,
        };

    private static ChatMessage? Message(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            return null;
        if (json.TryGetProperty("role", out var role) && role.ValueKind == JsonValueKind.String)
        {
            var message = ChatMessage.FromJson(json);
            return message.Role == Role(message.Role) ? message : message.With("role", Role(message.Role));
        }
        return
            json.TryGetProperty("from", out var from)
            && from.ValueKind == JsonValueKind.String
            && json.TryGetProperty("value", out var value)
            && value.ValueKind is JsonValueKind.String or JsonValueKind.Null
            ? new ChatMessage(Role(from.GetString()!), value.GetString())
            : null;
    }

    // ShareGPT's names of roles; others are unchanged.
    private static string Role(string name) =>
        name switch
        {
            "human" => "user",
            "gpt" or "bot" or "chatgpt" or "model" => "assistant",
            _ => name,
        };
}
