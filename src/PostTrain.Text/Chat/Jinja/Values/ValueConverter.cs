using System.Collections;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Converts JSON and plain .NET values to a template's values.</summary>
internal static class ValueConverter
{
    private const int MaximumDepth = 64;

    /// <exception cref="ArgumentException">The value, or one inside it, has no counterpart in a template.</exception>
    internal static object? Convert(object? value, string name, int depth = 0)
    {
        if (depth > MaximumDepth)
            throw new ArgumentException($"{name} nests deeper than {MaximumDepth} levels", name);
        switch (value)
        {
            case null or bool or long or double or string or BigInteger:
                return value;
            case JsonElement element:
                return Convert(element);
            case JsonNode node:
                return Convert(JsonSerializer.SerializeToElement(node));
            case int or short or byte or sbyte or ushort or uint:
                return System.Convert.ToInt64(value, CultureInfo.InvariantCulture);
            case float or decimal:
                return System.Convert.ToDouble(value, CultureInfo.InvariantCulture);
            case IDictionary dictionary:
                var dict = new DictValue();
                foreach (DictionaryEntry entry in dictionary)
                    dict.Set(
                        entry.Key as string
                            ?? throw new ArgumentException($"{name} has a key of the type {entry.Key.GetType()}, expected string", name),
                        Convert(entry.Value, name, depth + 1)
                    );
                return dict;
            case IEnumerable items:
                return new ListValue([.. items.Cast<object?>().Select(item => Convert(item, name, depth + 1))]);
            default:
                throw new ArgumentException(
                    $"{name} holds a value of the type {value.GetType()}, expected null, bool, a number, string, list, dictionary or JSON",
                    name
                );
        }
    }

    internal static object? Convert(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.True or JsonValueKind.False:
                return element.GetBoolean();
            case JsonValueKind.Number:
                return Number(element);
            case JsonValueKind.Array:
                return new ListValue([.. element.EnumerateArray().Select(Convert)]);
            case JsonValueKind.Object:
                var dict = new DictValue();
                foreach (var property in element.EnumerateObject())
                    dict.Set(property.Name, Convert(property.Value));
                return dict;
            default:
                return null;
        }
    }

    // Python keeps integers of any length, and reads numbers with a point or an exponent as floats.
    private static object Number(JsonElement element)
    {
        var text = element.GetRawText();
        if (text.AsSpan().IndexOfAny(".eE") >= 0)
            return element.GetDouble();
        return element.TryGetInt64(out var whole)
            ? (object)whole
            : BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
    }
}
