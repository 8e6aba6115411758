using System.Globalization;
using System.Numerics;
using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary><c>str()</c> and <c>repr()</c> of values.</summary>
internal static class PythonRepresentation
{
    /// <summary>Returns str(): a string is itself, an undefined value is empty.</summary>
    internal static string Text(Run run, object? value) =>
        value switch
        {
            string text => text,
            Undefined => "",
            _ => Representation(run, value),
        };

    /// <summary>Returns repr().</summary>
    internal static string Representation(Run run, object? value)
    {
        var result = new StringBuilder();
        Append(run, result, value);
        run.ChargeText(result.Length);
        return result.ToString();
    }

    /// <summary>Returns repr() of a string.</summary>
    internal static string Of(string text)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        var result = new StringBuilder(text.Length + 2).Append(quote);
        for (var at = 0; at < text.Length; at++)
        {
            var point = PythonText.IsPair(text, at) ? char.ConvertToUtf32(text[at++], text[at]) : text[at];
            _ = point switch
            {
                '\n' => result.Append("\\n"),
                '\r' => result.Append("\\r"),
                '\t' => result.Append("\\t"),
                '\\' => result.Append("\\\\"),
                _ when point == quote => result.Append('\\').Append(quote),
                _ when IsPrintable(point) => point > 0xFFFF ? result.Append(char.ConvertFromUtf32(point)) : result.Append((char)point),
                < 0x100 => result.Append(CultureInfo.InvariantCulture, $"\\x{point:x2}"),
                < 0x10000 => result.Append(CultureInfo.InvariantCulture, $"\\u{point:x4}"),
                _ => result.Append(CultureInfo.InvariantCulture, $"\\U{point:x8}"),
            };
        }

        return result.Append(quote).ToString();
    }

    /// <summary>Returns the fewest digits that read back to the same number, in Python's format.</summary>
    internal static string Of(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan"
                : value > 0 ? "inf"
                : "-inf";
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var exponent = value == 0 ? 0 : Exponent(shortest);
        var sign = double.IsNegative(value) ? "-" : "";
        var digits = Digits(shortest);
        if (exponent is < -4 or >= 16)
        {
            var fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        int whole = exponent + 1;
        return $"{sign}{digits.PadRight(whole, '0')[..whole]}.{(digits.Length > whole ? digits[whole..] : "0")}";
    }

    private static void Append(Run run, StringBuilder result, object? value)
    {
        run.Charge();
        if (result.Length > run.Limits.MaximumCharacters)
            throw run.Error($"a text of more than {run.Limits.MaximumCharacters} characters");
        switch (value)
        {
            case string text:
                run.ChargeText(text.Length);
                result.Append(Of(text));
                break;
            case ListValue list:
                AppendItems(run, result, '[', list.Items, "]");
                break;
            case TupleValue tuple:
                AppendItems(run, result, '(', tuple.Items, tuple.Items.Length == 1 ? ",)" : ")");
                break;
            case ViewValue view:
                result.Append(view.Kind).Append('(');
                AppendItems(run, result, '[', view.Items, "])");
                break;
            case DictValue dict:
                AppendDict(run, result, dict);
                break;
            case NamespaceValue:
                result.Append("<Namespace>");
                break;
            default:
                result.Append(Scalar(value));
                break;
        }
    }

    private static string Scalar(object? value) =>
        value switch
        {
            null => "None",
            bool flag => flag ? "True" : "False",
            long whole => whole.ToString(CultureInfo.InvariantCulture),
            BigInteger whole => whole.ToString(CultureInfo.InvariantCulture),
            double real => Of(real),
            RangeValue range => range.Text,
            Undefined => "Undefined",
            LoopValue => "<LoopContext>",
            FunctionValue function => $"<function {function.Name}>",
            _ => $"<{PythonText.TypeName(value)}>",
        };

    private static void AppendItems(Run run, StringBuilder result, char open, object?[] items, string close)
    {
        run.Enter();
        result.Append(open);
        for (var place = 0; place < items.Length; place++)
        {
            if (place > 0)
                result.Append(", ");
            Append(run, result, items[place]);
        }

        result.Append(close);
        run.Leave();
    }

    private static void AppendDict(Run run, StringBuilder result, DictValue dict)
    {
        run.Enter();
        result.Append('{');
        var separator = "";
        foreach (var (key, value) in dict.Entries)
        {
            result.Append(separator);
            Append(run, result, key);
            result.Append(": ");
            Append(run, result, value);
            separator = ", ";
        }

        result.Append('}');
        run.Leave();
    }

    private static bool IsPrintable(int point) =>
        point == ' '
        || (
            point is < 0xD800 or > 0xDFFF
            && CharUnicodeInfo.GetUnicodeCategory(point)
                is not (
                    UnicodeCategory.Control
                    or UnicodeCategory.Format
                    or UnicodeCategory.PrivateUse
                    or UnicodeCategory.OtherNotAssigned
                    or UnicodeCategory.LineSeparator
                    or UnicodeCategory.ParagraphSeparator
                    or UnicodeCategory.SpaceSeparator
                )
        );

    // The digits of an "R" text without sign, point, exponent and outer zeros.
    private static string Digits(string shortest)
    {
        var mantissa = shortest.Split('E')[0].TrimStart('-').Replace(".", "", StringComparison.Ordinal).Trim('0');
        return mantissa.Length == 0 ? "0" : mantissa;
    }

    // The exponent of the first digit.
    private static int Exponent(string shortest)
    {
        var parts = shortest.TrimStart('-').Split('E');
        if (parts.Length == 2)
            return int.Parse(parts[1], CultureInfo.InvariantCulture) + parts[0].Split('.')[0].Length - 1;
        var whole = parts[0].Split('.')[0].TrimStart('0');
        if (whole.Length > 0)
            return whole.Length - 1;
        var fraction = parts[0].Split('.')[1];
        return -(fraction.Length - fraction.TrimStart('0').Length) - 1;
    }
}
