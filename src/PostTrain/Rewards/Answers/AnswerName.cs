using System.Text;

namespace PostTrain.Rewards.Answers;

/// <summary>Names before an equals sign or relation: x, x_1, \theta, AB, |AB|, \angle ABC, f(x), (p,q), A:B, "Area of the
/// square".</summary>
internal static class AnswerName
{
    private const int LongestName = 200;

    // Single letters that are read as a function if the parentheses after them hold a sum: f(x+1), but x(x+1).
    private const string Functions = "fghpqFGHPQREV";

    private static readonly string[] Values =
    [
        "\\pi",
        "\\infty",
        "\\pm",
        "\\cdot",
        "\\times",
        "\\div",
        "\\sqrt",
        "\\cup",
        "\\cap",
        "\\emptyset",
        "\\begin",
        "\\end",
        "\\setminus",
    ];

    private static readonly string[] Labels =
    [
        "\\int",
        "\\iint",
        "\\sum",
        "\\prod",
        "\\lim",
        "\\lfloor",
        "\\lceil",
        "\\binom",
        "\\dbinom",
        "\\gcd",
        "\\lcm",
        "\\max",
        "\\min",
        "\\det",
        "\\deg",
    ];

    /// <summary>Returns the name in canonical spelling; empty for words, which are not compared; null if the text is an
    /// expression.</summary>
    internal static string? Parse(string text)
    {
        if (text.Length is 0 or > LongestName)
            return null;
        var name = new StringBuilder(text.Length);
        var letters = 0;
        var word = 0;
        var isWords = false;
        for (var i = 0; i < text.Length; i++)
        {
            var character = text[i];
            word = char.IsLetter(character) ? word + 1 : 0;
            switch (character)
            {
                case '\\':
                    var end = i + 1;
                    while (end < text.Length && char.IsAsciiLetter(text[end]))
                        end++;
                    if (end == i + 1 || Values.Contains(text[i..end]))
                        return null;
                    name.Append(text, i, end - i);
                    i = end - 1;
                    letters++;
                    break;
                case '_' when letters > 0:
                    var subscript = AfterGroup(text, i + 1);
                    if (subscript < 0)
                        return null;
                    foreach (var part in text.AsSpan(i, subscript - i))
                    {
                        if (part is not ('{' or '}') && !AnswerText.IsSpace(part))
                            name.Append(part);
                    }

                    i = subscript - 1;
                    break;
                case '(' or '[' when letters > 0:
                    var closing = AfterGroup(text, i);
                    var argument = closing < 0 ? "" : text[(i + 1)..(closing - 1)];
                    var isSum = argument.AsSpan().ContainsAny('+', '-', '^');
                    if (argument.Length == 0 || (isSum && !Functions.Contains(text[i - 1], StringComparison.Ordinal)))
                        return null;
                    i = closing - 1;
                    break;
                case '(' or ')' or '{' or '}' or '|' or ':' or '/' or ',' or '\'':
                    name.Append(character);
                    break;
                case AnswerText.Word:
                    isWords = true;
                    break;
                default:
                    if (!char.IsLetter(character) && character != ' ')
                        return null;
                    letters += character == ' ' ? 0 : 1;
                    isWords |= word > 3 || (word == 2 && char.IsLower(character) && char.IsUpper(text[i - 1]));
                    if (character != ' ')
                        name.Append(character);
                    break;
            }
        }

        return letters == 0 ? null
            : isWords ? ""
            : name.ToString();
    }

    /// <summary>Returns true for a label without a value here: a sum, an integral, a greatest common divisor before =.</summary>
    internal static bool IsLabel(string text) => Array.Exists(Labels, label => text.StartsWith(label, StringComparison.Ordinal));

    /// <summary>Returns true for a letter or Greek letter, possibly with a subscript, which may occur in a sum.</summary>
    internal static bool IsSymbol(string name) =>
        name[0] == '\\' ? !name.Contains('(', StringComparison.Ordinal) : name.Length == 1 || name[1] == '_';

    /// <summary>Returns true if one name is missing, both are equal, or they differ in a subscript that only one has: x_1 and x.</summary>
    internal static bool AreCompatible(string? a, string? b)
    {
        if (string.IsNullOrEmpty(a) || string.IsNullOrEmpty(b) || a == b)
            return true;
        var (shorter, longer) = a.Length < b.Length ? (a, b) : (b, a);
        return longer.StartsWith(shorter, StringComparison.Ordinal) && longer[shorter.Length] == '_';
    }

    // Returns the end of {…} or (…), or of one character; negative if it does not close.
    private static int AfterGroup(string text, int start)
    {
        if (start >= text.Length)
            return -1;
        if (text[start] is not ('{' or '(' or '['))
            return start + 1;
        var nested = 0;
        for (var i = start; i < text.Length; i++)
        {
            if (text[i] is '{' or '(' or '[')
                nested++;
            else if (text[i] is '}' or ')' or ']' && --nested == 0)
                return i + 1;
        }

        return -1;
    }
}
