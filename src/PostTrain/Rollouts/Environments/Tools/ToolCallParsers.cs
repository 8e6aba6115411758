using System.Text.Json;

namespace PostTrain.Rollouts.Environments;

/// <summary>Reads tool calls in the usual formats. Malformed calls are a <see cref="FormatException"/>.</summary>
internal static class ToolCallParsers
{
    private const string HermesStart = "<tool_call>",
        HermesEnd = "</tool_call>",
        PythonTag = "<|python_tag|>",
        MistralStart = "[TOOL_CALLS]",
        MistralArguments = "[ARGS]";

    private static readonly string[] LlamaEnds = ["<|eom_id|>", "<|eot_id|>", "<|end_of_text|>"];

    internal static IReadOnlyList<ToolCall> Hermes(string turn)
    {
        var calls = new List<ToolCall>();
        for (int start = 0; ; )
        {
            start = turn.IndexOf(HermesStart, start, StringComparison.Ordinal);
            if (start < 0)
                return calls;
            start += HermesStart.Length;
            int end = turn.IndexOf(HermesEnd, start, StringComparison.Ordinal);
            if (end < 0)
                throw new FormatException($"{HermesStart} has no {HermesEnd}");
            calls.Add(Call(Json(turn[start..end]), "arguments"));
            start = end + HermesEnd.Length;
        }
    }

    internal static IReadOnlyList<ToolCall> Llama(string turn)
    {
        string text = turn.Trim();
        foreach (string stop in LlamaEnds)
            if (text.EndsWith(stop, StringComparison.Ordinal))
                text = text[..^stop.Length].TrimEnd();
        bool isTagged = text.StartsWith(PythonTag, StringComparison.Ordinal);
        if (isTagged)
            text = text[PythonTag.Length..].Trim();
        // An answer may begin with a brace too: without the tag, only what has the form of a call is one.
        if (!isTagged && !text.StartsWith('{'))
            return [];
        try
        {
            return [.. Values(text, ';').Select(value => Call(value, "parameters"))];
        }
        catch (FormatException) when (!isTagged)
        {
            return [];
        }
    }

    internal static IReadOnlyList<ToolCall> Mistral(string turn)
    {
        int start = turn.IndexOf(MistralStart, StringComparison.Ordinal);
        if (start < 0)
            return [];
        var calls = new List<ToolCall>();
        foreach (string part in turn[start..].Split(MistralStart, StringSplitOptions.RemoveEmptyEntries))
        {
            int arguments = part.IndexOf(MistralArguments, StringComparison.Ordinal);
            if (arguments >= 0)
                calls.Add(new ToolCall(part[..arguments].Trim(), Object(First(part[(arguments + MistralArguments.Length)..]))));
            else if (First(part) is { ValueKind: JsonValueKind.Array } list)
                calls.AddRange(list.EnumerateArray().Select(value => Call(value, "arguments")));
            else
                throw new FormatException($"{MistralStart} is not followed by a JSON array");
        }
        return calls.Count > 0 ? calls : throw new FormatException("the call is empty");
    }

    private static ToolCall Call(JsonElement value, string arguments)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new FormatException($"the call is a JSON {value.ValueKind}, expected an object");
        if (
            !value.TryGetProperty("name", out var name)
            || name.ValueKind != JsonValueKind.String
            || name.GetString() is not { Length: > 0 } own
        )
            throw new FormatException("the call has no \"name\"");
        if (!value.TryGetProperty(arguments, out var given))
            throw new FormatException($"the call of {own} has no \"{arguments}\"");
        // Some models write the arguments as a text that holds JSON.
        if (given.ValueKind == JsonValueKind.String)
            given = Json(given.GetString()!);
        return new ToolCall(own, Object(given))
        {
            Id = value.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String ? id.GetString() : null,
        };
    }

    private static JsonElement Object(JsonElement value) =>
        value.ValueKind == JsonValueKind.Object
            ? value
            : throw new FormatException($"the arguments are a JSON {value.ValueKind}, expected an object");

    private static JsonElement Json(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException error)
        {
            throw new FormatException($"the call is no JSON: {error.Message}", error);
        }
    }

    // The first JSON value of a text, whatever follows it, such as the end token.
    private static JsonElement First(string text) => Values(text, separator: null).First();

    // JSON values separated by a character and blanks; without a separator only the first.
    private static List<JsonElement> Values(string text, char? separator)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        var values = new List<JsonElement>();
        try
        {
            for (int start = 0; start < bytes.Length; )
            {
                var reader = new Utf8JsonReader(bytes.AsSpan(start), isFinalBlock: true, default);
                values.Add(JsonElement.ParseValue(ref reader));
                start += (int)reader.BytesConsumed;
                if (separator is not { } between)
                    return values;
                while (start < bytes.Length && (char.IsWhiteSpace((char)bytes[start]) || bytes[start] == between))
                    start++;
            }
        }
        catch (JsonException error)
        {
            throw new FormatException($"the call is no JSON: {error.Message}", error);
        }
        return values.Count > 0 ? values : throw new FormatException("the call is empty");
    }
}
