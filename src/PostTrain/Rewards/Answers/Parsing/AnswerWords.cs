using System.Collections.Frozen;

namespace PostTrain.Rewards.Answers;

/// <summary>A word of a sentence: the text between two spaces outside braces, or a formula.</summary>
internal readonly record struct AnswerWord(int Start, int End, AnswerWordKind Kind);

/// <summary>The kind of a word.</summary>
internal enum AnswerWordKind
{
    /// <summary>Mathematics: digits, signs, commands, single letters, function names, formulas.</summary>
    Mathematics,

    /// <summary>A unit: mathematics after a number, English elsewhere.</summary>
    Unit,

    /// <summary>"and", "or".</summary>
    Connector,

    /// <summary>All other words.</summary>
    English,
}

/// <summary>Splits a sentence into words and distinguishes English from mathematics.</summary>
internal static class AnswerWords
{
    private const string Marks = ".,;:!?";

    private static readonly string[] Mathematical =
    [
        "pi",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "ln",
        "log",
        "exp",
        "inf",
        "infinity",
        "oo",
    ];

    // English words of two and three letters that follow numbers; longer words are never products of variables.
    private static readonly FrozenSet<string> Short =
    [
        "as",
        "at",
        "an",
        "be",
        "by",
        "do",
        "go",
        "he",
        "if",
        "in",
        "is",
        "it",
        "me",
        "my",
        "no",
        "of",
        "on",
        "so",
        "to",
        "up",
        "us",
        "we",
        "all",
        "any",
        "are",
        "bag",
        "bed",
        "box",
        "boy",
        "but",
        "can",
        "car",
        "cat",
        "cow",
        "cup",
        "day",
        "did",
        "dog",
        "egg",
        "for",
        "had",
        "has",
        "hat",
        "hen",
        "her",
        "him",
        "his",
        "how",
        "its",
        "let",
        "man",
        "may",
        "men",
        "new",
        "not",
        "now",
        "off",
        "old",
        "one",
        "our",
        "out",
        "own",
        "pen",
        "per",
        "pie",
        "pig",
        "she",
        "six",
        "ten",
        "the",
        "too",
        "two",
        "was",
        "way",
        "who",
        "why",
        "yes",
        "yet",
        "you",
    ];

    /// <summary>Returns true if two or three letters are an English word.</summary>
    internal static bool IsShort(ReadOnlySpan<char> letters) => Short.GetAlternateLookup<ReadOnlySpan<char>>().Contains(letters);

    /// <summary>Returns the words in order.</summary>
    internal static List<AnswerWord> Split(string text)
    {
        var words = new List<AnswerWord>();
        var spans = MathSpans.Find(text);
        var next = 0;
        for (var i = 0; i < text.Length; )
        {
            if (char.IsWhiteSpace(text[i]))
            {
                i++;
                continue;
            }

            var start = i;
            var nested = 0;
            var hasFormula = false;
            while (i < text.Length && (nested > 0 || !char.IsWhiteSpace(text[i])))
            {
                while (next < spans.Count && spans[next].Start < i)
                    next++;
                if (next < spans.Count && spans[next].Start == i)
                {
                    i = spans[next].End;
                    hasFormula = true;
                    continue;
                }

                if (text[i] == '{')
                    nested++;
                else if (text[i] == '}')
                    nested = Math.Max(0, nested - 1);
                i += text[i] == '\\' && i + 1 < text.Length ? 2 : 1;
            }

            // Braces that never close do not group words.
            if (nested > 0)
                i = text.AsSpan(start).IndexOf(' ') is var space and > 0 ? start + space : text.Length;
            words.Add(new AnswerWord(start, i, hasFormula ? AnswerWordKind.Mathematics : Kind(text.AsSpan(start, i - start))));
        }

        return Related(text, words);
    }

    /// <summary>Returns the word without surrounding punctuation, quotes and emphasis.</summary>
    internal static ReadOnlySpan<char> Bare(ReadOnlySpan<char> word) => word.Trim("*_`\"'").TrimEnd(Marks).Trim("*_`\"'");

    private static AnswerWordKind Kind(ReadOnlySpan<char> word)
    {
        var bare = Bare(word).Trim("()");
        if (bare.Length == 0)
            return word.ContainsAny('(', ')', '"') || word.Trim(Marks).Length == 0 ? AnswerWordKind.English : AnswerWordKind.Mathematics;
        if (bare is "—")
            return AnswerWordKind.English;
        if (bare is "and" or "or")
            return AnswerWordKind.Connector;
        var text = bare.ToString();
        if (AnswerUnit.IsWord(text))
            return AnswerWordKind.Unit;
        if (bare.Length == 1 || Array.IndexOf(Mathematical, text) >= 0)
            return AnswerWordKind.Mathematics;
        foreach (var character in bare)
        {
            if (!char.IsLetter(character) && character is not ('-' or '\'' or '’'))
                return AnswerWordKind.Mathematics;
        }

        return AnswerWordKind.English;
    }

    // "a" and "I" before an English word are English, as are units before one ("in total"); letters beside a sign (AB = 5) are a name.
    private static List<AnswerWord> Related(string text, List<AnswerWord> words)
    {
        for (var i = words.Count - 1; i >= 0; i--)
        {
            var word = words[i];
            var bare = text.AsSpan(word.Start, word.End - word.Start).Trim("()*_`\"'");
            var isBeforeEnglish = i + 1 < words.Count && words[i + 1].Kind == AnswerWordKind.English;
            if (
                bare is "a" or "A" or "I" or "in" or "s"
                && i + 1 < words.Count
                && words[i + 1].Kind is AnswerWordKind.English or AnswerWordKind.Unit
            )
                words[i] = word with { Kind = AnswerWordKind.English };
            else if (bare is "per" or "square" or "sq" or "cubic" && !(i + 1 < words.Count && words[i + 1].Kind == AnswerWordKind.Unit))
                words[i] = word with { Kind = AnswerWordKind.English };
            else if (
                word.Kind == AnswerWordKind.English
                && bare.Length <= 12
                && i + 1 < words.Count
                && IsSign(text, words[i + 1])
                && !isBeforeEnglish
            )
                words[i] = word with { Kind = AnswerWordKind.Mathematics };
        }

        return words;
    }

    private static bool IsSign(string text, AnswerWord word) =>
        text.AsSpan(word.Start, word.End - word.Start) is "=" or "<" or ">" or "≤" or "≥" or "≈" or "+" or "*" or "/" or "^";
}
