namespace PostTrain.Rewards.Answers;

/// <summary>A formula in a text: its position with delimiters, and its content.</summary>
/// <param name="Start">Position of the first delimiter.</param>
/// <param name="End">Position after the last delimiter.</param>
/// <param name="Content">The text between the delimiters.</param>
internal readonly record struct MathSpan(int Start, int End, string Content);

/// <summary>Finds formulas in a text: $…$, $$…$$, \(…\) and \[…\]. A dollar sign before an amount does not open one.</summary>
internal static class MathSpans
{
    private const int LongestInline = 600;
    private const int LongestSpan = 4096;

    /// <summary>Returns the formulas in order, in time linear in the text's length.</summary>
    internal static List<MathSpan> Find(string text)
    {
        var spans = new List<MathSpan>();
        for (var i = 0; i < text.Length; )
        {
            if (Opened(text, i) is { } span)
            {
                spans.Add(span);
                i = span.End;
            }
            else
            {
                i += text[i] == '\\' ? 2 : 1;
            }
        }

        return spans;
    }

    private static MathSpan? Opened(string text, int start)
    {
        if (text[start] == '$')
            return start + 1 < text.Length && text[start + 1] == '$' ? Closed(text, start, "$$", "$$", LongestSpan) : Inline(text, start);
        if (text[start] != '\\' || start + 1 >= text.Length)
            return null;
        return text[start + 1] switch
        {
            '(' => Closed(text, start, "\\(", "\\)", LongestInline),
            '[' => Closed(text, start, "\\[", "\\]", LongestSpan),
            _ => null,
        };
    }

    private static MathSpan? Closed(string text, int start, string opening, string closing, int longest)
    {
        var from = start + opening.Length;
        var rest = text.AsSpan(from, Math.Min(longest, text.Length - from));
        var length = rest.IndexOf(closing, StringComparison.Ordinal);
        return length <= 0 ? null : new MathSpan(start, from + length + closing.Length, text.Substring(from, length));
    }

    private static MathSpan? Inline(string text, int start)
    {
        var end = start + 1;
        var limit = Math.Min(text.Length, start + LongestInline);
        while (end < limit && text[end] != '$')
            end += text[end] == '\\' ? 2 : 1;
        if (end >= limit || end == start + 1)
            return null;
        var content = text[(start + 1)..end];
        return IsAmount(content, end + 1 < text.Length ? text[end + 1] : ' ') ? null : new MathSpan(start, end + 1, content);
    }

    // "$18 a day and $20 a night": the text between the two signs is a number followed by words.
    private static bool IsAmount(string content, char next)
    {
        var text = content.AsSpan().TrimStart();
        if (text.IsEmpty || !(char.IsAsciiDigit(text[0]) || text[0] == '.'))
            return false;
        if (content[^1] == ' ' && char.IsAsciiDigit(next))
            return true;
        return text.Contains(' ') && !text.Contains('\\') && HasWord(text) && !AnswerParser.CanParse(content);
    }

    private static bool HasWord(ReadOnlySpan<char> text)
    {
        for (var i = 2; i < text.Length; i++)
        {
            if (char.IsAsciiLetter(text[i]) && (char.IsAsciiLetter(text[i - 1]) || text[i - 1] == ' '))
                return true;
        }

        return false;
    }
}
