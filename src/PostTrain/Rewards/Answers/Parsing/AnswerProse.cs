namespace PostTrain.Rewards.Answers;

/// <summary>Finds mathematics in a sentence: at its beginning, or around its last number.</summary>
internal static partial class AnswerProse
{
    private const int MaximumWords = 32;

    /// <summary>Returns the first mathematics of a sentence that has a number, or a formula if it has no digits; null if there is none.
    /// "12, as required" gives 12, "surely 7 cm" gives 7 cm. The part after "is" is preferred: "$a_1$ is 34" gives 34.</summary>
    internal static string? First(string sentence)
    {
        var words = AnswerWords.Split(sentence);
        var hasDigits = sentence.AsSpan().ContainsAnyInRange('0', '9');
        string? named = null;
        for (var start = 0; start < words.Count; )
        {
            var end = start;
            var hasNumber = false;
            while (end < words.Count && end - start < MaximumWords && Continues(words[end].Kind, hasNumber, end > start))
            {
                var word = sentence.AsSpan(words[end].Start, words[end].End - words[end].Start);
                hasNumber |= hasDigits ? word.ContainsAnyInRange('0', '9') : HoldsMathematics(word);
                end++;
            }

            // ", y is free" is about another letter.
            var isNext = end < words.Count && end - 1 > start && EndsClause(sentence, words[end - 2]) && IsLetter(sentence, words[end - 1]);
            for (var last = isNext ? end - 2 : end - 1; hasNumber && last >= start; last--)
            {
                if (Parsed(sentence, words[start].Start, words[last].End, words, last) is not { } answer)
                    continue;
                var verb = end < words.Count ? sentence.AsSpan(words[end].Start, words[end].End - words[end].Start) : "";
                if (verb is not ("is" or "are" or "equals"))
                    return answer;
                named ??= answer;
                break;
            }

            start = Math.Max(end, start + 1);
        }

        return named;
    }

    /// <summary>Returns the letter of a choice at the beginning of a sentence: "A, because", "(C) since"; null if there is none. "A dog" is
    /// not a choice.</summary>
    internal static string? Choice(string sentence)
    {
        var words = AnswerWords.Split(sentence);
        if (words.Count < 2)
            return null;
        var word = sentence.AsSpan(words[0].Start, words[0].End - words[0].Start).Trim('*');
        var letter = word.Trim("().,;:");
        return letter.Length == 1 && char.IsAsciiLetterUpper(letter[0]) && word.Length > 1 ? AnswerWords.Bare(word).ToString() : null;
    }

    private static bool Continues(AnswerWordKind kind, bool hasNumber, bool hasBegun) =>
        kind switch
        {
            AnswerWordKind.Mathematics => true,
            AnswerWordKind.Unit => hasNumber,
            AnswerWordKind.Connector => hasBegun,
            _ => false,
        };

    private static bool IsLetter(string text, AnswerWord word) => word.End == word.Start + 1 && char.IsAsciiLetter(text[word.Start]);

    private static bool EndsClause(string line, AnswerWord word) => line[word.End - 1] is ',' or ';' or ':' or '=' or '?' or '!' or '.';

    private static string? Parsed(string text, int start, int end, List<AnswerWord> words, int last)
    {
        var answer = AnswerWords.Bare(text.AsSpan(start, end - start));
        // In "5! ways" the mark is a factorial, in "It is 5!" it ends the sentence.
        var isFactorial = text[end - 1] == '!' && last + 1 < words.Count && char.IsLower(text[words[last + 1].Start]);
        if (isFactorial)
            answer = text.AsSpan(start, end - start).Trim("*_`\"'");
        var open = answer.Count('(') + answer.Count('[') - answer.Count(')') - answer.Count(']');
        if (open < 0)
            answer = answer.TrimEnd(")]");
        if (open > 0)
            answer = answer.TrimStart("([");
        answer = answer.Trim();
        if (!HoldsMathematics(answer))
            return null;
        var bare = answer.TrimStart("\\$");
        // $18 is an amount, $18$ a formula.
        if (answer[0] is '$' or '\\' && bare.Length > 0 && char.IsAsciiDigit(bare[0]) && !bare.ContainsAny('$', '\\'))
            answer = bare;
        var found = answer.ToString();
        return AnswerParser.CanParse(found) ? found : null;
    }

    private static bool HoldsMathematics(ReadOnlySpan<char> text) => text.ContainsAnyInRange('0', '9') || text.ContainsAny('\\', '$');
}
