using System.Globalization;
using System.Text;

namespace PostTrain.Adapters.Peft;

/// <summary>Writes JSON like Python's <c>json.dumps(value, indent=2, sort_keys=True)</c>, so that a file equals PEFT's.</summary>
internal static class PythonJson
{
    /// <param name="values">Null, bool, string, int, double, lists and dictionaries of these.</param>
    public static string Write(IReadOnlyDictionary<string, object?> values)
    {
        var text = new StringBuilder();
        Write(text, values, 0);
        return text.ToString();
    }

    private static void Write(StringBuilder text, object? value, int depth)
    {
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool flag:
                text.Append(flag ? "true" : "false");
                break;
            case string given:
                WriteText(text, given);
                break;
            case int number:
                text.Append(number.ToString(CultureInfo.InvariantCulture));
                break;
            case double number:
                text.Append(Number(number));
                break;
            case IReadOnlyDictionary<string, object?> dictionary:
                WriteItems(
                    text,
                    dictionary.OrderBy(item => item.Key, StringComparer.Ordinal).ToArray(),
                    depth,
                    '{',
                    '}',
                    item =>
                    {
                        WriteText(text, item.Key);
                        text.Append(": ");
                        Write(text, item.Value, depth + 1);
                    }
                );
                break;
            case IEnumerable<object?> list:
                WriteItems(text, list.ToArray(), depth, '[', ']', item => Write(text, item, depth + 1));
                break;
            default:
                throw new ArgumentException($"a {value.GetType().Name} is not a JSON value", nameof(value));
        }
    }

    private static void WriteItems<T>(StringBuilder text, T[] items, int depth, char open, char close, Action<T> write)
    {
        text.Append(open);
        for (var i = 0; i < items.Length; i++)
        {
            text.Append(i > 0 ? ",\n" : "\n").Append(' ', 2 * (depth + 1));
            write(items[i]);
        }

        if (items.Length > 0)
            text.Append('\n').Append(' ', 2 * depth);
        text.Append(close);
    }

    // A float is written with a point or exponent; Python's exponents are lower case.
    private static string Number(double number)
    {
        var digits = number.ToString("R", CultureInfo.InvariantCulture);
        return digits.Contains('E', StringComparison.Ordinal) ? digits.Replace('E', 'e')
            : digits.Contains('.', StringComparison.Ordinal) ? digits
            : digits + ".0";
    }

    private static void WriteText(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var character in value)
        {
            _ = character switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' or > '~' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => text.Append(character),
            };
        }

        text.Append('"');
    }
}
