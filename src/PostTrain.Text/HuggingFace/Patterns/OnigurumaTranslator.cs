using System.Globalization;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Translates the Oniguruma expressions of tokenizers to .NET.</summary>
/// <remarks>Differences: possessive quantifiers (translated to atomic groups; after {n,m} a + repeats, as in Oniguruma), <c>^</c> and
/// <c>$</c> (every line), <c>\h</c> (a hexadecimal digit), <c>\w</c>, <c>\d</c>, <c>\b</c> and properties (by general category), case
/// folding of s and k, nested classes. Groups do not capture. Back references, named groups, calls, <c>\K</c>, <c>\R</c>, <c>\X</c>,
/// <c>\G</c>, absent groups, POSIX brackets, class intersections and characters beyond U+FFFF are rejected by name.</remarks>
internal sealed class OnigurumaTranslator
{
    private readonly string pattern;
    private readonly StringBuilder output = new();
    private readonly List<(char, char)> literals = [];
    private readonly Stack<(int Start, bool IgnoreCase, bool DotAll)> groups = [];
    private bool ignoreCase;
    private bool dotAll;
    private int at;

    private OnigurumaTranslator(string pattern) => this.pattern = pattern;

    /// <summary>Translates an expression.</summary>
    /// <exception cref="ArgumentException">It is malformed or has an unsupported construct.</exception>
    internal static OnigurumaTranslation Translate(string pattern)
    {
        var translator = new OnigurumaTranslator(pattern);
        translator.Run();
        return new OnigurumaTranslation(translator.output.ToString(), translator.literals);
    }

    private void Run()
    {
        int atom = -1;
        while (at < pattern.Length)
        {
            char next = pattern[at];
            int start = output.Length;
            switch (next)
            {
                case '(':
                    atom = Open() ? -1 : atom;
                    continue;
                case ')':
                    if (groups.Count == 0)
                        throw Refuse("a closing bracket without an opening one");
                    at++;
                    output.Append(')');
                    (atom, ignoreCase, dotAll) = groups.Pop();
                    continue;
                case '|':
                    at++;
                    output.Append('|');
                    atom = -1;
                    continue;
                case '*' or '+' or '?':
                    Quantify(atom, next.ToString(), possessive: true);
                    continue;
                case '{' when Interval() is { } interval:
                    Quantify(atom, interval, possessive: false);
                    continue;
                case '^':
                    at++;
                    output.Append("(?m:^)");
                    break;
                case '$':
                    at++;
                    output.Append("(?m:$)");
                    break;
                case '.':
                    at++;
                    output.Append(dotAll ? @"[\s\S]" : @"[^\n]");
                    break;
                case '[':
                    Append(new OnigurumaClass(pattern, literals, ignoreCase).Translate(ref at));
                    break;
                case '\\':
                    Escape();
                    break;
                default:
                    at++;
                    Literal(next);
                    break;
            }

            atom = start;
        }

        if (groups.Count > 0)
            throw Refuse("an opening bracket without a closing one");
    }

    // Returns true if a group begins, false if only flags change.
    private bool Open()
    {
        at++;
        int start = output.Length;
        var flags = (ignoreCase, dotAll);
        if (at >= pattern.Length || pattern[at] != '?')
        {
            output.Append("(?:");
        }
        else
        {
            var rest = pattern.AsSpan(at);
            string? kind = null;
            foreach (var known in (ReadOnlySpan<string>)["?:", "?=", "?!", "?>", "?<=", "?<!"])
                if (rest.StartsWith(known, StringComparison.Ordinal))
                    kind = known;
            if (kind is not null)
            {
                at += kind.Length;
                output.Append('(').Append(kind);
            }
            else if (!Flags())
            {
                return false;
            }
        }

        groups.Push((start, flags.ignoreCase, flags.dotAll));
        return true;
    }

    private bool Flags()
    {
        bool on = true;
        for (int i = at + 1; i < pattern.Length; i++)
        {
            switch (pattern[i])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    ignoreCase = on;
                    break;
                case 'm':
                    dotAll = on;
                    break;
                case ':':
                    at = i + 1;
                    output.Append("(?:");
                    return true;
                case ')':
                    at = i + 1;
                    return false;
                default:
                    throw Refuse($"the group (?{pattern[i]}");
            }
        }

        throw Refuse("a group without an end");
    }

    private string? Interval()
    {
        int i = at + 1;
        while (i < pattern.Length && (char.IsAsciiDigit(pattern[i]) || pattern[i] == ','))
            i++;
        if (i >= pattern.Length || pattern[i] != '}')
            return null;
        var parts = pattern[(at + 1)..i].Split(',');
        if (parts.Length > 2 || parts.All(part => part.Length == 0))
            return null;
        foreach (var part in parts)
            if (part.Length > 5)
                throw Refuse($"the count {part}");
        return parts.Length == 1 ? $"{{{parts[0]}}}" : $"{{{(parts[0].Length == 0 ? "0" : parts[0])},{parts[1]}}}";
    }

    private void Quantify(int atom, string quantifier, bool possessive)
    {
        if (atom < 0)
            throw Refuse($"the quantifier {quantifier} with nothing before it");
        at += possessive ? 1 : pattern.IndexOf('}', at) - at + 1;
        var suffix = at < pattern.Length ? pattern[at] : '\0';
        if (suffix == '?' && !possessive && !quantifier.Contains(',', StringComparison.Ordinal))
            throw Refuse($"the quantifier {quantifier}?");
        if (suffix == '?')
        {
            at++;
            output.Append(quantifier).Append('?');
        }
        else if (suffix == '+' && possessive)
        {
            at++;
            output.Insert(atom, "(?>").Append(quantifier).Append(')');
            return;
        }
        else
        {
            output.Append(quantifier);
        }

        // Oniguruma allows quantified quantifiers, .NET does not.
        output.Insert(atom, "(?:").Append(')');
    }

    private void Escape()
    {
        if (at + 1 >= pattern.Length)
            throw Refuse("a backslash at the end");
        char next = pattern[at + 1];
        switch (next)
        {
            case 'A' or 'z' or 'Z':
                output.Append('\\').Append(next);
                break;
            case 'b':
                output.Append(
                    $"(?:(?<=[{OnigurumaProperties.Word}])(?![{OnigurumaProperties.Word}])|"
                        + $"(?<![{OnigurumaProperties.Word}])(?=[{OnigurumaProperties.Word}]))"
                );
                break;
            case 'B':
                output.Append(
                    $"(?:(?<=[{OnigurumaProperties.Word}])(?=[{OnigurumaProperties.Word}])|"
                        + $"(?<![{OnigurumaProperties.Word}])(?![{OnigurumaProperties.Word}]))"
                );
                break;
            default:
                var (text, literal) = OnigurumaEscape.Read(pattern, ref at);
                if (literal is { } character)
                    Literal(character);
                else
                    output.Append('[').Append(text).Append(']');
                return;
        }

        at += 2;
    }

    private void Literal(char character)
    {
        if (char.IsSurrogate(character))
            throw Refuse("a character beyond U+FFFF");
        literals.Add((character, character));
        if (!ignoreCase || !char.IsLetter(character))
            output.Append(OnigurumaEscape.Hex(character));
        else
            Append(OnigurumaEscape.AnyCase($"{OnigurumaEscape.Hex(character)}", character, character));
    }

    private void Append(string text) => output.Append(text);

    private ArgumentException Refuse(string what) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{what} at position {at} is not supported"));
}
