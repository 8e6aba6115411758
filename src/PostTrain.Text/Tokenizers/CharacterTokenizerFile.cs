using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>The content of <see cref="CharacterTokenizer.FileName"/>.</summary>
internal sealed record CharacterTokenizerFile(
    [property: JsonPropertyName("format")] string Format,
    [property: JsonPropertyName("alphabet")] string Alphabet,
    [property: JsonPropertyName("specialTokens")] IReadOnlyList<string> SpecialTokens,
    [property: JsonPropertyName("padding")] string Padding,
    [property: JsonPropertyName("endOfSequence")] string? EndOfSequence
)
{
    /// <summary>Tokens behind the characters; left out where there are none.</summary>
    [JsonPropertyName("addedTokens")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AddedTokens { get; init; }

    /// <summary>The value of the field <see cref="Format"/>.</summary>
    internal const string Name = "posttrain-character-tokenizer";

    private const int MaximumFileBytes = 4 << 20;

    // Strict: unknown, duplicate and missing fields and nulls are rejected.
    private static readonly JsonSerializerOptions Options = new(JsonSerializerOptions.Strict)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    internal byte[] Bytes() => JsonSerializer.SerializeToUtf8Bytes(this, Options);

    internal static CharacterTokenizer Read(string path)
    {
        var json = BoundedFile.ReadText(path, MaximumFileBytes, "a character tokenizer");
        try
        {
            var file = JsonSerializer.Deserialize<CharacterTokenizerFile>(json, Options);
            if (file?.Format != Name)
                throw new InvalidDataException($"{path} has the format '{file?.Format}', expected '{Name}'");
            var tokenizer = new CharacterTokenizer(file.Alphabet, file.SpecialTokens, file.Padding, file.EndOfSequence);
            return file.AddedTokens is { } added ? tokenizer.WithTokens(added) : tokenizer;
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException)
        {
            const string expected = "format, alphabet, specialTokens, padding and endOfSequence";
            throw new InvalidDataException($"{path}: {exception.Message}; expected {expected}", exception);
        }
    }
}
