using System.Text;
using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>Parses the JSON of a tokenizer's files.</summary>
internal static class TokenizerDocument
{
    /// <summary>Parses a document whose root is an object.</summary>
    /// <exception cref="InvalidDataException">It is not a JSON object; the message names the file.</exception>
    internal static JsonDocument Parse(ReadOnlyMemory<byte> json, string name)
    {
        if (json.Span.StartsWith(Encoding.UTF8.Preamble))
            json = json[Encoding.UTF8.Preamble.Length..];
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{name} is not JSON ({exception.Message}), expected an object", exception);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return document;
        document.Dispose();
        throw new InvalidDataException($"{name} is not a JSON object, expected one");
    }
}
