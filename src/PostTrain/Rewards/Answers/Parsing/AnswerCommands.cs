using System.Collections.Frozen;
using System.Text;

namespace PostTrain.Rewards.Answers;

/// <summary>The first pass of <see cref="AnswerText"/>: rewrites LaTeX commands and Unicode characters in the spelling that the parser
/// reads.</summary>
internal static class AnswerCommands
{
    // Replacements of commands; other commands are unchanged.
    private static readonly FrozenDictionary<string, string> Commands = Table(
        """
        left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr displaystyle textstyle limits =>
        quad qquad enspace thinspace => SPACE
        dfrac tfrac cfrac => \frac
        lbrace => \{
        rbrace => \}
        varnothing => \emptyset
        ldots dots cdots dotsc dotsb => ...
        circ degree => °
        leftarrow => ←
        rightarrow to => →
        le leq leqslant => ≤
        ge geq geqslant => ≥
        ne neq => ≠
        lt => <
        gt => >
        approx approxeq => ≈
        in => ∈
        colon => :
        vert lvert rvert mid => |
        langle => (
        rangle => )
        """
    );

    private static readonly FrozenDictionary<char, string> Characters = new Dictionary<char, string>
    {
        ['\u2212'] = "-",
        ['\u2013'] = "-",
        ['\u00d7'] = "*",
        ['\u00b7'] = "*",
        ['\u22c5'] = "*",
        ['\u00f7'] = "/",
        ['\u221e'] = "\\infty ",
        ['\u03c0'] = "\\pi ",
        ['\u00b1'] = "\\pm ",
        ['\u222a'] = "\\cup ",
        ['\u2205'] = "\\emptyset ",
        ['\u00a0'] = " ",
        ['\u202f'] = " ",
        ['\u221a'] = "\\sqrt ",
        ['\u00bd'] = "\\frac{1}{2}",
        ['\u00bc'] = "\\frac{1}{4}",
        ['\u00be'] = "\\frac{3}{4}",
        ['$'] = "",
        ['~'] = " ",
        ['\u27e8'] = "(",
        ['\u27e9'] = ")",
        [AnswerText.Word] = "",
    }.ToFrozenDictionary();

    private const string Superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";

    // Escapes of one character. \! is removed together with the spaces after it: 32,\! 349 is one number. A thin space may join digits.
    private static string? Escape(char character) =>
        character switch
        {
            '!' or '$' or '(' or ')' or '[' or ']' => "",
            ',' => "\u2009",
            ';' or ':' or ' ' => " ",
            '%' => "%",
            '&' => "&",
            '#' => "#",
            '\\' => "¶",
            '|' => "|",
            _ => null,
        };

    internal static string Replace(string text)
    {
        text = Unescaped(text);
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                if (Superscripts.Contains(text[i]))
                {
                    result.Append("^{");
                    for (; i < text.Length && Superscripts.IndexOf(text[i], StringComparison.Ordinal) is var digit and >= 0; i++)
                        result.Append("0123456789-"[digit]);
                    result.Append('}');
                    i--;
                    continue;
                }

                if (Characters.TryGetValue(text[i], out var spelling))
                    result.Append(spelling);
                else
                    result.Append(text[i]);
                continue;
            }

            var end = i + 1;
            while (end < text.Length && char.IsAsciiLetter(text[end]))
                end++;
            if (end > i + 1)
            {
                var name = text.AsSpan(i + 1, end - i - 1);
                // \quadx occurs in texts that lost a space.
                if (name.StartsWith("quad", StringComparison.Ordinal))
                {
                    name = "quad";
                    end = i + 5;
                }

                if (Commands.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var replacement))
                    result.Append(replacement);
                else
                    result.Append(text.AsSpan(i, end - i));
                // \left. and \right. are invisible brackets.
                if (name is "left" or "right" && end < text.Length && text[end] == '.')
                    end++;
            }
            else if (end < text.Length)
            {
                if (Escape(text[end]) is { } escape)
                    result.Append(escape);
                else
                    result.Append('\\').Append(text[end]);
                if (text[end++] == '!')
                    while (end < text.Length && text[end] == ' ')
                        end++;
            }
            else
            {
                result.Append('\\');
            }

            i = end - 1;
        }

        return result.ToString();
    }

    // \\frac{1}{2}: text that was escaped twice. In text with rows, \\ before a letter ends a row and is kept.
    private static string Unescaped(string text)
    {
        var doubled = text.IndexOf("\\\\", StringComparison.Ordinal);
        if (doubled < 0)
            return text;
        var rows = text.IndexOf("\\begin", StringComparison.Ordinal);
        if (rows >= 0)
            return rows > 0 && text[rows - 1] == '\\' ? text.Replace("\\\\", "\\", StringComparison.Ordinal) : text;
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var isDoubled = text[i] == '\\' && i + 2 < text.Length && text[i + 1] == '\\';
            if (isDoubled && (char.IsAsciiLetter(text[i + 2]) || text[i + 2] is '{' or '}' or '%'))
                i++;
            result.Append(text[i]);
        }

        return result.ToString();
    }

    private static FrozenDictionary<string, string> Table(string rows)
    {
        var table = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var row in rows.Split('\n'))
        {
            var sides = row.Split("=>");
            foreach (var name in sides[0].Split(' ', StringSplitOptions.RemoveEmptyEntries))
                table[name] = sides[1].Trim().Replace("SPACE", " ", StringComparison.Ordinal);
        }

        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
