using System.Text.Json;
using System.Text.Json.Serialization;

namespace PostTrain.Text.Chat;

/// <summary>One message of a conversation: a role, a content, and any further fields that a template reads (<c>tool_calls</c>, <c>name</c>,
/// <c>reasoning_content</c>, ...). Immutable. In JSON an object with a string <c>role</c>. Messages are equal if their fields are, in any
/// order.</summary>
[JsonConverter(typeof(ChatMessageConverter))]
public sealed class ChatMessage : IEquatable<ChatMessage>
{
    private readonly KeyValuePair<string, JsonElement>[] fields;

    /// <summary>Creates a message of plain text.</summary>
    /// <param name="role">The speaker: <c>system</c>, <c>user</c>, <c>assistant</c>, <c>tool</c>, or another role that the template
    /// knows.</param>
    /// <param name="content">The text; null (JSON null) if there is none, as with tool calls.</param>
    public ChatMessage(string role, string? content)
        : this([new("role", Text(role)), new("content", JsonSerializer.SerializeToElement(content))]) { }

    private ChatMessage(KeyValuePair<string, JsonElement>[] fields) => this.fields = fields;

    /// <summary>The speaker's role.</summary>
    public string Role => this["role"]!.Value.GetString()!;

    /// <summary>The content if it is a text; null if there is none or it is a list of parts.</summary>
    public string? Content => this["content"] is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>All fields in their original order, including <c>role</c> and <c>content</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, JsonElement>> Fields => fields;

    /// <summary>The field with this name; null if there is none.</summary>
    public JsonElement? this[string name]
    {
        get
        {
            var place = Array.FindIndex(fields, field => field.Key == name);
            return place < 0 ? null : fields[place].Value;
        }
    }

    /// <summary>Creates a message from a JSON object. If a field occurs twice, the last one counts.</summary>
    /// <exception cref="ArgumentException">The JSON is not an object, or has no string <c>role</c>.</exception>
    public static ChatMessage FromJson(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new ArgumentException($"the message is a JSON {json.ValueKind}, expected an object", nameof(json));
        if (!json.TryGetProperty("role", out var role) || role.ValueKind != JsonValueKind.String)
            throw new ArgumentException("the message has no string \"role\"", nameof(json));
        var own = json.Clone();
        return new ChatMessage([
            .. own.EnumerateObject()
                .DistinctBy(property => property.Name)
                .Select(property => new KeyValuePair<string, JsonElement>(property.Name, own.GetProperty(property.Name))),
        ]);
    }

    /// <summary>Returns a copy of the message with a field set.</summary>
    /// <param name="name">The field, such as <c>tool_calls</c>.</param>
    /// <param name="value">A value that System.Text.Json can write.</param>
    /// <exception cref="ArgumentException">The field is <c>role</c> and the value is not a string.</exception>
    public ChatMessage With(string name, object? value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name == "role" && value is not string)
            throw new ArgumentException($"the role is {value ?? "null"}, expected a string", nameof(value));
        KeyValuePair<string, JsonElement> field = new(name, JsonSerializer.SerializeToElement(value));
        return new ChatMessage(this[name] is null ? [.. fields, field] : [.. fields.Select(old => old.Key == name ? field : old)]);
    }

    /// <summary>Returns role and text.</summary>
    public override string ToString() => $"{Role}: {Content ?? this["content"]?.GetRawText()}";

    /// <inheritdoc/>
    public bool Equals(ChatMessage? other) =>
        other is not null
        && fields.Length == other.fields.Length
        && fields.All(field => other[field.Key] is { } value && JsonElement.DeepEquals(field.Value, value));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChatMessage);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Role, Content);

    private static JsonElement Text(string role)
    {
        ArgumentNullException.ThrowIfNull(role);
        return JsonSerializer.SerializeToElement(role);
    }
}
