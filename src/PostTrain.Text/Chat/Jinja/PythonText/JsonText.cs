using System.Globalization;
using System.Numerics;
using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The filter <c>tojson</c> as in transformers: Python's <c>json.dumps</c> without HTML escapes and, unless requested, without
/// ASCII escapes.</summary>
internal sealed class JsonText(Run run, bool asciiOnly, string? indent, string itemSeparator, string keySeparator, bool sortKeys)
{
    private readonly StringBuilder result = new();

    internal static string Filter(Run run, object? value, Arguments arguments)
    {
        var given = arguments.Bind(run, "tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        var indent = given.Value(1, null) switch
        {
            null => null,
            string margin => margin,
            _ => Spaces(run, given.Integer(1)),
        };
        var (item, key) = given.Value(2, null) switch
        {
            null => (indent is null ? ", " : ",", ": "),
            SequenceValue { Items: [string first, string second] } => (first, second),
            _ => throw run.Error("the argument 'separators' of tojson needs two strings"),
        };
        var text = new JsonText(run, given.Flag(0, false), indent, item, key, given.Flag(3, false));
        text.Append(value, 0);
        run.ChargeText(text.result.Length);
        return text.result.ToString();
    }

    private static string Spaces(Run run, long count)
    {
        run.ChargeText(Math.Max(0, count));
        return new string(' ', (int)Math.Max(0, count));
    }

    private void Append(object? value, int depth)
    {
        run.Charge();
        if (result.Length > run.Limits.MaximumCharacters)
            throw run.Error($"a text of more than {run.Limits.MaximumCharacters} characters");
        switch (value)
        {
            case string text:
                AppendText(text);
                break;
            case DictValue dict:
                AppendAll(
                    '{',
                    '}',
                    depth,
                    Ordered(dict),
                    entry =>
                    {
                        AppendText(Key(entry.Key));
                        result.Append(keySeparator);
                        Append(entry.Value, depth + 1);
                    }
                );
                break;
            case ListValue or TupleValue:
                AppendAll('[', ']', depth, ((SequenceValue)value).Items, item => Append(item, depth + 1));
                break;
            default:
                result.Append(
                    Scalar(value)
                        ?? throw run.Error(
                            value is Undefined missing ? missing.Reason : $"{PythonText.TypeName(value)} cannot be written as JSON"
                        )
                );
                break;
        }
    }

    private void AppendAll<T>(char open, char close, int depth, IReadOnlyCollection<T> items, Action<T> append)
    {
        run.Enter();
        result.Append(open);
        var first = true;
        foreach (var item in items)
        {
            if (!first)
                result.Append(itemSeparator);
            first = false;
            BreakLine(depth + 1);
            append(item);
        }

        if (!first)
            BreakLine(depth);
        result.Append(close);
        run.Leave();
    }

    private void BreakLine(int depth)
    {
        if (indent is null)
            return;
        run.ChargeText(result.Length + ((long)indent.Length * depth));
        result.Append('\n');
        for (var level = 0; level < depth; level++)
            result.Append(indent);
    }

    private IReadOnlyCollection<KeyValuePair<object?, object?>> Ordered(DictValue dict) =>
        sortKeys
            ? [.. dict.Entries.Order(Comparer<KeyValuePair<object?, object?>>.Create((a, b) => Comparison.Order(run, a.Key, b.Key)))]
            : dict.Entries;

    private string Key(object? key) =>
        key as string ?? Scalar(key) ?? throw run.Error($"{PythonText.TypeName(key)} cannot be a key of JSON");

    private static string? Scalar(object? value) =>
        value switch
        {
            null => "null",
            bool flag => flag ? "true" : "false",
            long whole => whole.ToString(CultureInfo.InvariantCulture),
            BigInteger whole => whole.ToString(CultureInfo.InvariantCulture),
            double real => double.IsFinite(real) ? PythonRepresentation.Of(real)
            : double.IsNaN(real) ? "NaN"
            : real > 0 ? "Infinity"
            : "-Infinity",
            _ => null,
        };

    private void AppendText(string text)
    {
        run.ChargeText(text.Length);
        result.Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => result.Append("\\\""),
                '\\' => result.Append("\\\\"),
                '\n' => result.Append("\\n"),
                '\r' => result.Append("\\r"),
                '\t' => result.Append("\\t"),
                '\b' => result.Append("\\b"),
                '\f' => result.Append("\\f"),
                < ' ' => result.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                > '~' when asciiOnly => result.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => result.Append(character),
            };
        }

        result.Append('"');
    }
}
