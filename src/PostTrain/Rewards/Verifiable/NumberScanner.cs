namespace PostTrain.Rewards;

/// <summary>Finds the last number of a text: sign, thousands separators, decimals, a fraction's denominator, a percent sign.</summary>
internal static class NumberScanner
{
    internal static string? Last(string text)
    {
        (int Start, int End) last = default;
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsAsciiDigit(text[i]))
                continue;
            var end = End(text, i);
            // A digit between letters is part of a name.
            if (!(i > 0 && char.IsLetter(text[i - 1]) && end < text.Length && char.IsLetter(text[end])))
                last = (Start(text, i), end);
            i = end - 1;
        }

        return last.End == 0 ? null : text[last.Start..last.End];
    }

    // Returns the number's first character, given its first digit: a decimal point, a currency sign and a sign may precede it.
    private static int Start(string text, int digit)
    {
        var start = digit;
        if (start > 0 && text[start - 1] == '.' && !(start > 1 && IsOperand(text[start - 2])))
            start--;
        var sign = start - 1;
        while (sign >= 0 && text[sign] is '$' or '\\')
            sign--;
        // After a digit, a letter or a bracket the sign is an operator: the last number of "5-3" is 3.
        var isSign = sign >= 0 && text[sign] is '-' or '+' or '\u2212' && !(sign > 0 && IsOperand(text[sign - 1]));
        return isSign ? sign : start;
    }

    private static int End(string text, int start)
    {
        var end = Digits(text, start);
        var point = start > 0 && text[start - 1] == '.';
        if (!point && end - start <= 3)
        {
            while (end < text.Length && text[end] == ',' && Digits(text, end + 1) == end + 4)
                end += 4;
        }

        if (!point && end < text.Length && text[end] == '.' && Digits(text, end + 1) is var decimals && decimals > end + 1)
            end = decimals;
        if (end < text.Length && text[end] == '/' && Digits(text, end + 1) is var denominator && denominator > end + 1)
            end = denominator;
        if (end < text.Length && text[end] == '%')
            return end + 1;
        return end + 1 < text.Length && text[end] == '\\' && text[end + 1] == '%' ? end + 2 : end;
    }

    private static int Digits(string text, int start)
    {
        while (start < text.Length && char.IsAsciiDigit(text[start]))
            start++;
        return start;
    }

    private static bool IsOperand(char character) => char.IsAsciiLetterOrDigit(character) || character is ')' or ']' or '}';
}
