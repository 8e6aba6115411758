using System.Globalization;
using System.Text.RegularExpressions;

namespace PostTrain.Rewards;

/// <summary>A number as an answer writes it.</summary>
/// <param name="Value">Its value.</param>
/// <param name="Integer">Its digits in canonical form when it is written as an integer (42, -7, 1,000, 3.00), else null.</param>
internal readonly record struct AnswerNumber(double Value, string? Integer)
{
    private static readonly string[] Noise = ["\\left", "\\right", "\\!", "\\,", "\\;", "\\ ", "\\(", "\\)", "\\$", "$"];

    // Without backtracking, so that no text takes more than linear time.
    private static readonly Regex Grammar = new("""
        \A (?<sign>[-+])? \s*
        (?: (?: (?<whole>[0-9]+) \s+ )? (?<numerator>[0-9]+) \s* / \s* (?<denominator>[0-9]+)
          | (?<whole>[0-9]+)? \s* \\[dt]?frac \{ \s* (?<numerator>[0-9]+) \s* \} \s* \{ \s* (?<denominator>[0-9]+) \s* \}
          | (?<digits> [0-9]{1,3} (?: , [0-9]{3} )+ | [0-9]* ) (?: \. (?<decimals>[0-9]*) )? (?<exponent> [eE][-+]?[0-9]{1,6} )?
        ) \s* (?<percent>%)? \z
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking);

    internal static string Normalize(string text)
    {
        text = text.Trim().Replace('\u2212', '-')
            .Replace("\\%", "%", StringComparison.Ordinal)
            .Replace("{,}", ",", StringComparison.Ordinal);
        foreach (var noise in Noise)
            text = text.Replace(noise, "", StringComparison.Ordinal);
        text = text.Trim();
        return text.Length > 1 && text[^1] == '.' ? text[..^1].TrimEnd() : text;
    }

    internal static AnswerNumber? Parse(string text)
    {
        var match = Grammar.Match(text);
        if (!match.Success)
            return null;
        var scale = match.Groups["percent"].Success ? 0.01 : 1;
        var negative = match.Groups["sign"].Value == "-";
        if (match.Groups["numerator"].Success)
        {
            var denominator = Number(match.Groups["denominator"].Value);
            var whole = match.Groups["whole"].Success ? Number(match.Groups["whole"].Value) : 0;
            var magnitude = (whole + Number(match.Groups["numerator"].Value) / denominator) * scale;
            return denominator == 0 ? null : new AnswerNumber(negative ? -magnitude : magnitude, null);
        }

        var digits = match.Groups["digits"].Value.Replace(",", "", StringComparison.Ordinal);
        if (digits.Length + match.Groups["decimals"].Length == 0)
            return null;
        var decimals = match.Groups["decimals"].Value.TrimEnd('0');
        var exponent = match.Groups["exponent"].Value;
        var value = Number($"{digits}.{decimals}0{exponent}") * scale;
        var isInteger = decimals.Length == 0 && exponent.Length == 0 && scale == 1;
        return new AnswerNumber(negative ? -value : value, isInteger ? Canonical(digits, negative) : null);
    }

    private static string Canonical(string digits, bool negative)
    {
        var significant = digits.TrimStart('0');
        return significant.Length == 0 ? "0" : negative ? "-" + significant : significant;
    }

    // The grammar lets through only what parses; a value beyond the range of a double becomes an infinity, which the caller refuses.
    private static double Number(string text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
}
