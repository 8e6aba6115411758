using System.Text.Json;
using System.Text.Json.Serialization;

namespace PostTrain.Text;

/// <summary>Converts plain text to a JSON string and rendered text to <c>{"rendered": "..."}</c>.</summary>
internal sealed class MarkedTextConverter : JsonConverter<MarkedText>
{
    internal const string Rendered = "rendered";

    public override MarkedText Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString()!;
        using var document = JsonDocument.ParseValue(ref reader);
        return Of(document.RootElement)
            ?? throw new JsonException(
                $"found a JSON {document.RootElement.ValueKind.ToString().ToLowerInvariant()}, expected a text or {{\"{Rendered}\": a text}}"
            );
    }

    public override void Write(Utf8JsonWriter writer, MarkedText value, JsonSerializerOptions options)
    {
        if (!value.IsRendered)
        {
            writer.WriteStringValue(value.Text);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString(Rendered, value.Text);
        writer.WriteEndObject();
    }

    /// <summary>Returns the text of an element; null if it is something else.</summary>
    internal static MarkedText? Of(JsonElement element) =>
        element.ValueKind switch
        {
            JsonValueKind.String => element.GetString()!,
            JsonValueKind.Object when element.TryGetProperty(Rendered, out var text) && text.ValueKind == JsonValueKind.String =>
                MarkedText.Rendered(text.GetString()!),
            _ => null,
        };
}
