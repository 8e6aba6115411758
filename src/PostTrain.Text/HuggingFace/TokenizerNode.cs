using System.Text.Json;

namespace PostTrain.Text.HuggingFace;

/// <summary>A place in a tokenizer's file. Errors for missing values and wrong types name the place, the value found and the value
/// expected.</summary>
/// <param name="Element">The JSON there.</param>
/// <param name="Place">The file and the path in it.</param>
internal readonly record struct TokenizerNode(JsonElement Element, string Place)
{
    /// <summary>Returns a field; null if it is absent or null.</summary>
    internal TokenizerNode? Find(string name)
    {
        Expect(JsonValueKind.Object, "an object");
        return Element.TryGetProperty(name, out var found) && found.ValueKind != JsonValueKind.Null
            ? new TokenizerNode(found, $"{Place}.{name}")
            : null;
    }

    internal TokenizerNode Get(string name) => Find(name) ?? throw new InvalidDataException($"{Place} has no {name}, which is required");

    internal IEnumerable<TokenizerNode> Items()
    {
        Expect(JsonValueKind.Array, "an array");
        var place = Place;
        return Element.EnumerateArray().Select((item, index) => new TokenizerNode(item, $"{place}[{index}]"));
    }

    internal string Text()
    {
        Expect(JsonValueKind.String, "a text");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // An unpaired surrogate written as an escape.
            throw new InvalidDataException($"{Place} is not valid Unicode");
        }
    }

    internal bool Flag() =>
        Element.ValueKind is JsonValueKind.True or JsonValueKind.False ? Element.GetBoolean() : throw Refuse("true or false");

    internal bool Flag(string name, bool fallback) => Find(name)?.Flag() ?? fallback;

    internal int Integer(int least, int most) =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) && value >= least && value <= most
            ? value
            : throw Refuse($"a whole number from {least} to {most}");

    internal double Number() =>
        Element.ValueKind == JsonValueKind.Number && Element.TryGetDouble(out double value) && double.IsFinite(value)
            ? value
            : throw Refuse("a finite number");

    /// <summary>Returns one character of the basic plane.</summary>
    internal char Character() => Text() is [var only] ? only : throw Refuse("one character");

    internal string Kind() => Get("type").Text();

    internal InvalidDataException Refuse(string expected) => new($"{Place} is {Shown()}, expected {expected}");

    private void Expect(JsonValueKind kind, string what)
    {
        if (Element.ValueKind != kind)
            throw Refuse(what);
    }

    internal string Shown()
    {
        if (Element.ValueKind is JsonValueKind.Object or JsonValueKind.Array)
            return $"an {Element.ValueKind.ToString().ToLowerInvariant()}";
        var raw = Element.GetRawText();
        return raw.Length <= 80 ? raw : raw[..80] + "...";
    }
}
