using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Text.Chat;

namespace PostTrain.Text;

/// <summary>Converts plain text to a JSON string, rendered text to <c>{"rendered": "..."}</c>, and text with learnt spans to <c>{"text":
/// "...", "learnt": [[0, 4]]}</c> or the same with <c>rendered</c>.</summary>
internal sealed class MarkedTextConverter : JsonConverter<MarkedText>
{
    internal const string Rendered = "rendered";
    internal const string Plain = "text";
    internal const string Learnt = "learnt";

    public override MarkedText Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString()!;
        using var document = JsonDocument.ParseValue(ref reader);
        return Of(document.RootElement)
            ?? throw new JsonException(
                $"found a JSON {document.RootElement.ValueKind.ToString().ToLowerInvariant()}, expected a text or "
                    + $"{{\"{Rendered}\": a text}}, and optionally \"{Learnt}\", a list of spans [start, end) of the text in order"
            );
    }

    public override void Write(Utf8JsonWriter writer, MarkedText value, JsonSerializerOptions options)
    {
        if (!value.IsRendered && value.Learnt is null)
        {
            writer.WriteStringValue(value.Text);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString(value.IsRendered ? Rendered : Plain, value.Text);
        if (value.Learnt is { } spans)
        {
            writer.WriteStartArray(Learnt);
            foreach (var span in spans)
            {
                writer.WriteStartArray();
                writer.WriteNumberValue(span.Start);
                writer.WriteNumberValue(span.End);
                writer.WriteEndArray();
            }
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    /// <summary>Returns the text of an element; null if it is something else.</summary>
    internal static MarkedText? Of(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String)
            return element.GetString()!;
        if (element.ValueKind != JsonValueKind.Object)
            return null;
        bool hasSpans = element.TryGetProperty(Learnt, out var learnt);
        bool isRendered = element.TryGetProperty(Rendered, out var text);
        if (!isRendered && !(hasSpans && element.TryGetProperty(Plain, out text)) || text.ValueKind != JsonValueKind.String)
            return null;
        var marked = new MarkedText(text.GetString()!, isRendered);
        if (!hasSpans)
            return marked;
        return Spans(learnt, marked.Length) is { } spans ? marked with { Learnt = spans } : default(MarkedText?);
    }

    private static TextSpan[]? Spans(JsonElement list, int length)
    {
        if (list.ValueKind != JsonValueKind.Array)
            return null;
        var spans = new List<TextSpan>();
        int last = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (
                item.ValueKind != JsonValueKind.Array
                || item.GetArrayLength() != 2
                || item[0].ValueKind != JsonValueKind.Number
                || item[1].ValueKind != JsonValueKind.Number
                || !item[0].TryGetInt32(out int start)
                || !item[1].TryGetInt32(out int end)
                || start < last
                || end < start
                || end > length
            )
                return null;
            spans.Add(new TextSpan(start, end));
            last = end;
        }
        return [.. spans];
    }
}
