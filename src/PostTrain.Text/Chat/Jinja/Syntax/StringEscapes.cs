using System.Globalization;
using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>The backslash escapes of Python's string literals.</summary>
internal static class StringEscapes
{
    internal static string Decode(SourceText source, int begin, int end)
    {
        var text = source.Text;
        if (text.AsSpan(begin, end - begin).IndexOf('\\') < 0)
            return text[begin..end];
        var result = new StringBuilder(end - begin);
        for (var at = begin; at < end; at++)
        {
            if (text[at] != '\\')
            {
                result.Append(text[at]);
                continue;
            }

            var escape = text[++at];
            switch (escape)
            {
                case '\n':
                    break;
                case 'x' or 'u' or 'U':
                    var digits = escape switch
                    {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    Append(result, source, at - 1, end, digits);
                    at += digits;
                    break;
                case >= '0' and <= '7':
                    var value = 0;
                    var last = Math.Min(at + 3, end);
                    for (; at < last && text[at] is >= '0' and <= '7'; at++)
                        value = (value * 8) + text[at] - '0';
                    at--;
                    result.Append((char)value);
                    break;
                default:
                    var place = "\\'\"abfnrtv".IndexOf(escape, StringComparison.Ordinal);
                    _ = place < 0 ? result.Append('\\').Append(escape) : result.Append("\\'\"\a\b\f\n\r\t\v"[place]);
                    break;
            }
        }

        return result.ToString();
    }

    // The backslash of the escape is at `at`.
    private static void Append(StringBuilder result, SourceText source, int at, int end, int digits)
    {
        var hexadecimal = source.Text.AsSpan(at + 2, Math.Min(digits, end - at - 2));
        if (
            hexadecimal.Length < digits
            || !uint.TryParse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || value > 0x10FFFF
        )
            throw source.Error(at, $"the escape has no code point, expected {digits} hexadecimal digits of one");
        _ = value > 0xFFFF ? result.Append(char.ConvertFromUtf32((int)value)) : result.Append((char)value);
    }
}
