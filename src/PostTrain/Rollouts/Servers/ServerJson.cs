using System.Text.Json;

namespace PostTrain.Rollouts.Servers;

/// <summary>Fields of a server's answer; what is missing or of another kind is named.</summary>
internal static class ServerJson
{
    /// <summary>Returns a field; null if it is missing or null.</summary>
    internal static JsonElement? Field(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>Returns the text of a field; null if it is missing or no text.</summary>
    internal static string? Text(this JsonElement element, string name) =>
        element.Field(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>Returns the elements of an array.</summary>
    /// <exception cref="InvalidDataException">It is missing or no array; the message names the place.</exception>
    internal static IReadOnlyList<JsonElement> Elements(this JsonElement? element, string place) =>
        element is { ValueKind: JsonValueKind.Array } array
            ? [.. array.EnumerateArray()]
            : throw new InvalidDataException($"{place} is {Kind(element)}, expected an array");

    /// <summary>Returns a token id.</summary>
    /// <exception cref="InvalidDataException">It is missing or no integer.</exception>
    internal static int Id(this JsonElement? element, string place) =>
        element is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var id)
            ? id
            : throw new InvalidDataException($"{place} is {Kind(element)}, expected a token id");

    /// <summary>Returns a log-prob.</summary>
    /// <exception cref="InvalidDataException">It is missing or no number.</exception>
    internal static double LogProb(this JsonElement? element, string place) =>
        element is { ValueKind: JsonValueKind.Number } number && number.TryGetDouble(out var value)
            ? value
            : throw new InvalidDataException($"{place} is {Kind(element)}, expected a log-prob");

    private static string Kind(JsonElement? element) =>
        element is not { } value ? "missing"
        : value.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False ? value.ToString()
        : value.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined ? "null"
        : $"of kind {value.ValueKind}";
}
