using System.Globalization;

namespace PostTrain.Text.HuggingFace;

/// <summary>Escapes of characters and classes, inside and outside of brackets.</summary>
internal static class OnigurumaEscape
{
    /// <summary>Reads an escape; returns the text of a class or a character.</summary>
    /// <exception cref="ArgumentException">The escape is not supported; the message names it.</exception>
    internal static (string Class, char? Literal) Read(string pattern, ref int at)
    {
        if (at + 1 >= pattern.Length)
            throw new ArgumentException("a backslash at the end");
        char kind = pattern[at + 1];
        at += 2;
        switch (kind)
        {
            case 's':
                return (@"\s", null);
            case 'S':
                return (@"\S", null);
            case 'd':
                return (@"\p{Nd}", null);
            case 'D':
                return (@"\P{Nd}", null);
            case 'w':
                return (OnigurumaProperties.Word, null);
            case 'W':
                return (NotWord, null);
            case 'h':
                return ("0-9a-fA-F", null);
            case 'p' or 'P':
                int end = at < pattern.Length && pattern[at] == '{' ? pattern.IndexOf('}', at) : -1;
                if (end < 0)
                    throw new ArgumentException($@"\{kind} without a name in braces");
                var name = pattern[(at + 1)..end];
                at = end + 1;
                return (OnigurumaProperties.Class(name, kind == 'P'), null);
            case 'n':
                return ("", '\n');
            case 'r':
                return ("", '\r');
            case 't':
                return ("", '\t');
            case 'f':
                return ("", '\f');
            case 'v':
                return ("", '\v');
            case 'a':
                return ("", '\a');
            case 'e':
                return ("", '\u001b');
            case 'x':
                return ("", Code(pattern, ref at, 2));
            case 'u':
                return ("", Code(pattern, ref at, 4));
            default:
                return char.IsAsciiLetterOrDigit(kind) ? throw new ArgumentException($@"\{kind} is not supported") : ("", kind);
        }
    }

    internal static string Hex(char character) => string.Create(CultureInfo.InvariantCulture, $@"\u{(int)character:X4}");

    /// <summary>Returns a class that ignores case. Oniguruma also folds the long s to s.</summary>
    internal static string AnyCase(string content, char first, char last) =>
        $"(?i:[{content}{(Covers(first, last, 's') ? @"\u017F" : "")}{(Covers(first, last, '\u017F') ? "s" : "")}])";

    internal static bool Covers(char first, char last, char letter) =>
        (first <= letter && letter <= last) || (first <= char.ToUpperInvariant(letter) && char.ToUpperInvariant(letter) <= last);

    private const string NotWord = @"\p{P}\p{S}\p{Z}\p{C}\p{No}-[\p{Pc}\u24B6-\u24E9]";

    private static char Code(string pattern, ref int at, int digits)
    {
        int start = at,
            end;
        if (digits == 2 && at < pattern.Length && pattern[at] == '{')
        {
            start = at + 1;
            end = pattern.IndexOf('}', at);
            at = end + 1;
        }
        else
        {
            end = at;
            while (end < pattern.Length && end < start + digits && char.IsAsciiHexDigit(pattern[end]))
                end++;
            at = end;
        }

        return
            end > start
            && end - start <= 8
            && int.TryParse(pattern.AsSpan(start, end - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            && code is >= 0 and <= 0xFFFF
            && !char.IsSurrogate((char)code)
            ? (char)code
            : throw new ArgumentException(@"a code of \x or \u is malformed or beyond U+FFFF");
    }
}
