namespace PostTrain.Rewards.Answers;

/// <content>Finds the expression around the last number of a text.</content>
internal static partial class AnswerProse
{
    private const int Window = 240;
    private const int Neighbourhood = 8192;
    private const int MaximumUnits = 4;
    private const int MaximumTries = 8;

    /// <summary>Returns the last number of a text with its expression, or the last formula of a text without digits; null if there is
    /// neither.</summary>
    internal static string? Last(string text)
    {
        var digit = text.AsSpan().LastIndexOfAnyInRange('0', '9');
        var from = Math.Max(0, (digit < 0 ? text.Length : digit) - Neighbourhood);
        text = text[from..Math.Min(text.Length, Math.Max(digit, from) + Neighbourhood)];
        digit -= from;
        var spans = MathSpans.Find(text);
        for (var tries = 0; digit >= 0 && tries < MaximumTries; tries++)
        {
            var index = spans.FindLastIndex(span => span.Start < digit && digit < span.End);
            var (start, end) = index < 0 ? (digit, digit) : (spans[index].Start, spans[index].End - 1);
            var first = Math.Max(text.LastIndexOf('\n', start) + 1, start - Window);
            var line = text.IndexOf('\n', end);
            var last = Math.Min(line < 0 ? text.Length : line, end + Window);
            if (About(text[first..last], start - first, index < 0 ? null : spans[index].Content) is { } answer)
                return answer;
            // For a digit in a name, such as AB7C, look before the name.
            while (digit >= 0 && !char.IsWhiteSpace(text[digit]))
                digit--;
            digit = text.AsSpan(0, digit + 1).LastIndexOfAnyInRange('0', '9');
        }

        return spans.Count > 0 ? spans[^1].Content.Trim() : null;
    }

    // Returns the words around this place: a formula with the unit after it, or the mathematics that ends here.
    private static string? About(string line, int place, string? formula)
    {
        var words = AnswerWords.Split(line);
        var index = words.FindIndex(word => word.Start <= place && place < word.End);
        var last = index;
        while (
            last + 1 < words.Count
            && last - index < MaximumUnits
            && words[last + 1].Kind == AnswerWordKind.Unit
            && !EndsClause(line, words[last])
        )
            last++;
        if (formula is not null)
        {
            for (; last > index; last--)
            {
                if (Parsed(line, words[index].Start, words[last].End, words, last) is { } measured)
                    return measured;
            }

            return AnswerParser.CanParse(formula) ? formula.Trim() : AfterEquals(formula) ?? formula.Trim();
        }

        for (; last >= index; last--)
        {
            var first = index;
            while (first > 0 && index - first < MaximumWords && Precedes(line, words[first - 1], words[first].Start, words[index].End))
                first--;
            for (; first <= index; first++)
            {
                // A sign that stands alone after English words is a dash.
                var isSign = line.AsSpan(words[first].Start, words[first].End - words[first].Start) is "-" or "–" or "+" or "*" or "•";
                if (first < index && isSign)
                    continue;
                var from = Math.Max(words[first].Start, Break(line, words[first].Start, place));
                if (Parsed(line, from, words[last].End, words, last) is { } answer)
                    return answer;
                if (from > words[index].Start)
                    break;
            }
        }

        return NumberScanner.Last(line[words[index].Start..words[index].End]);
    }

    // Returns the place after the last = or list comma before the number, outside the brackets around it.
    private static int Break(string line, int start, int place)
    {
        var nested = 0;
        var found = -1;
        for (var i = place; i >= start; i--)
        {
            if (line[i] is ')' or '}' or ']')
            {
                nested++;
            }
            else if (line[i] is '(' or '{' or '[')
            {
                if (--nested >= 0)
                    continue;
                (nested, found) = (0, -1);
            }
            else if (nested == 0 && found < 0 && Parts(line, i))
            {
                found = i + 1;
            }
        }

        return found < 0 ? start : found;
    }

    private static bool Parts(string line, int place) =>
        line[place] switch
        {
            '=' or '≈' or ';' => true,
            ':' => !IsRatio(line, place),
            ',' => !IsThousands(line, place),
            _ => false,
        };

    private static bool IsRatio(string line, int colon) =>
        colon > 0 && colon + 1 < line.Length && char.IsAsciiDigit(line[colon - 1]) && char.IsAsciiDigit(line[colon + 1]);

    // True for a mathematical word that no comma separates from what follows, unless a bracket closing there opens before it: [0, 1).
    private static bool Precedes(string line, AnswerWord word, int start, int end)
    {
        var text = line.AsSpan(start, end - start);
        var isInside = text.Count(')') + text.Count(']') > text.Count('(') + text.Count('[');
        return word.Kind == AnswerWordKind.Mathematics && (isInside || !EndsClause(line, word));
    }

    private static bool IsThousands(string line, int comma)
    {
        var before = comma;
        while (before > 0 && char.IsAsciiDigit(line[before - 1]))
            before--;
        var after = comma + 1;
        while (after < line.Length && char.IsAsciiDigit(line[after]))
            after++;
        return comma - before is >= 1 and <= 3 && after - comma - 1 == 3;
    }

    // Returns the part after the last = of a formula that is not an answer as a whole.
    private static string? AfterEquals(string formula)
    {
        var start = formula.LastIndexOf('=') + 1;
        var value = formula[start..].Trim().TrimEnd('.', ',').Trim();
        return start > 0 && value.AsSpan().ContainsAnyInRange('0', '9') && AnswerParser.CanParse(value) ? value : null;
    }
}
