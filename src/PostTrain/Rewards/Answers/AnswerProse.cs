namespace PostTrain.Rewards.Answers;

/// <summary>Finds mathematics in a sentence: at its beginning, or about its last number.</summary>
internal static class AnswerProse
{
    private const int Window = 240;
    private const int Neighbourhood = 8192;
    private const int MaximumWords = 32;
    private const int MaximumUnits = 4;
    private const int MaximumTries = 8;

    /// <summary>The first mathematics of a sentence with a number, or with a formula where it has no digits: "12, as required" gives 12, "surely 7 cm"
    /// 7 cm; what "is" follows names the answer: "$a_1$ is 34" gives 34. Null where there is none.</summary>
    internal static string? First(string sentence)
    {
        var words = AnswerWords.Split(sentence);
        var hasDigits = sentence.AsSpan().ContainsAnyInRange('0', '9');
        string? named = null;
        for (var start = 0; start < words.Count;)
        {
            var end = start;
            var hasNumber = false;
            while (end < words.Count && end - start < MaximumWords && (words[end].Kind is AnswerWordKind.Mathematics || (words[end].Kind == AnswerWordKind.Unit && hasNumber)
                || (words[end].Kind == AnswerWordKind.Connector && end > start)))
            {
                var word = sentence.AsSpan(words[end].Start, words[end].End - words[end].Start);
                hasNumber |= hasDigits ? word.ContainsAnyInRange('0', '9') : HoldsMathematics(word);
                end++;
            }

            for (var last = end - 1; hasNumber && last >= start; last--)
            {
                if (Parsed(sentence, words[start].Start, words[last].End, words, last) is not { } answer) continue;
                if (!(end < words.Count && sentence.AsSpan(words[end].Start, words[end].End - words[end].Start) is "is" or "are" or "equals")) return answer;
                named ??= answer;
                break;
            }

            start = Math.Max(end, start + 1);
        }

        return named;
    }

    /// <summary>The last number of a text with the expression that it stands in, or the last formula of a text without digits; null where there is neither.</summary>
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
            if (About(text[first..last], start - first, index < 0 ? null : spans[index].Content) is { } answer) return answer;
            // A digit in a name, such as AB7C: the one before it.
            while (digit >= 0 && !char.IsWhiteSpace(text[digit])) digit--;
            digit = text.AsSpan(0, digit + 1).LastIndexOfAnyInRange('0', '9');
        }

        return spans.Count > 0 ? spans[^1].Content.Trim() : null;
    }

    /// <summary>The letter of a choice at the beginning of a sentence: "A, because", "(C) since"; null where there is none. "A dog" is no choice.</summary>
    internal static string? Choice(string sentence)
    {
        var words = AnswerWords.Split(sentence);
        if (words.Count < 2) return null;
        var word = sentence.AsSpan(words[0].Start, words[0].End - words[0].Start).Trim('*');
        var letter = word.Trim("().,;:");
        return letter.Length == 1 && char.IsAsciiLetterUpper(letter[0]) && word.Length > 1 ? AnswerWords.Bare(word).ToString() : null;
    }

    // The words about this place: a formula with the unit after it, or the mathematics that ends here.
    private static string? About(string line, int place, string? formula)
    {
        var words = AnswerWords.Split(line);
        var index = words.FindIndex(word => word.Start <= place && place < word.End);
        var last = index;
        while (last + 1 < words.Count && last - index < MaximumUnits && words[last + 1].Kind == AnswerWordKind.Unit && !EndsClause(line, words[last])) last++;
        if (formula is not null)
        {
            for (; last > index; last--)
            {
                if (Parsed(line, words[index].Start, words[last].End, words, last) is { } measured) return measured;
            }

            return AnswerParser.CanParse(formula) ? formula.Trim() : AfterEquals(formula) ?? formula.Trim();
        }

        for (; last >= index; last--)
        {
            var first = index;
            while (first > 0 && index - first < MaximumWords && words[first - 1].Kind == AnswerWordKind.Mathematics && !EndsClause(line, words[first - 1])) first--;
            for (; first <= index; first++)
            {
                // A sign that stands alone after English is a dash.
                if (first < index && line.AsSpan(words[first].Start, words[first].End - words[first].Start) is "-" or "–" or "+" or "*" or "•") continue;
                var from = Math.Max(words[first].Start, Break(line, words[first].Start, place));
                if (Parsed(line, from, words[last].End, words, last) is { } answer) return answer;
                if (from > words[index].Start) break;
            }
        }

        return NumberScanner.Last(line[words[index].Start..words[index].End]);
    }

    // Behind the last = or list comma before the number, outside the brackets that it stands in: those end what stands before them.
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
                if (--nested >= 0) continue;
                (nested, found) = (0, -1);
            }
            else if (nested == 0 && found < 0 && (line[i] is '=' or '≈' or ':' or ';' || (line[i] == ',' && !IsThousands(line, i))))
            {
                found = i + 1;
            }
        }

        return found < 0 ? start : found;
    }

    private static bool IsThousands(string line, int comma)
    {
        var before = comma;
        while (before > 0 && char.IsAsciiDigit(line[before - 1])) before--;
        var after = comma + 1;
        while (after < line.Length && char.IsAsciiDigit(line[after])) after++;
        return comma - before is >= 1 and <= 3 && after - comma - 1 == 3;
    }

    private static bool EndsClause(string line, AnswerWord word) => line[word.End - 1] is ',' or ';' or ':' or '=' or '?' or '!' || line[word.End - 1] == '.';

    // What stands after the last = of a formula that is no answer as a whole.
    private static string? AfterEquals(string formula)
    {
        var start = formula.LastIndexOf('=') + 1;
        var value = formula[start..].Trim().TrimEnd('.', ',').Trim();
        return start > 0 && value.AsSpan().ContainsAnyInRange('0', '9') && AnswerParser.CanParse(value) ? value : null;
    }

    private static string? Parsed(string text, int start, int end, List<AnswerWord> words, int last)
    {
        var answer = AnswerWords.Bare(text.AsSpan(start, end - start));
        // 5! ways are 120; "It is 5!" is 5.
        var isFactorial = text[end - 1] == '!' && last + 1 < words.Count && char.IsLower(text[words[last + 1].Start]);
        if (isFactorial) answer = text.AsSpan(start, end - start).Trim("*_`\"'");
        if (answer.Count('(') < answer.Count(')')) answer = answer.TrimEnd(')');
        if (answer.Count('(') > answer.Count(')')) answer = answer.TrimStart('(');
        answer = answer.Trim();
        if (!HoldsMathematics(answer)) return null;
        var bare = answer.TrimStart("\\$");
        if (answer[0] is '$' or '\\' && bare.Length > 0 && char.IsAsciiDigit(bare[0]) && !bare.Contains('$') && !bare.Contains('\\')) answer = bare;
        var found = answer.ToString();
        return AnswerParser.CanParse(found) ? found : null;
    }

    private static bool HoldsMathematics(ReadOnlySpan<char> text) => text.ContainsAnyInRange('0', '9') || text.ContainsAny('\\', '$');
}
