using System.Text;
using PostTrain.Rewards.Answers;

namespace PostTrain.Rewards;

/// <summary>Finds the final answer of a completion. Total: every text gives an answer or null, in linear time.</summary>
public static class AnswerExtraction
{
    private const int LongestSentence = 200;
    private static readonly string[] Phrases = ["answer is", "answer:", "answer :"];
    private const string Hashes = "####";
    private const string OpeningTag = "<answer>";
    private const string ClosingTag = "</answer>";

    /// <summary>Returns the final answer, trimmed, or null if none of the places holds one.</summary>
    /// <param name="text">The completion.</param>
    /// <param name="places">Places to search, in the order boxed, hashes, tags, phrase, last number.</param>
    public static string? Extract(string text, AnswerPlaces places = AnswerPlaces.Any)
    {
        ArgumentNullException.ThrowIfNull(text);
        return (places.HasFlag(AnswerPlaces.Boxed) ? Reduced(AnswerBoxes.Last(text)) : null)
            ?? (places.HasFlag(AnswerPlaces.Hashes) ? AfterHashes(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Tags) ? InTags(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Phrase) ? AfterPhrase(text) : null)
            ?? (places.HasFlag(AnswerPlaces.LastNumber) ? AnswerProse.Last(PlainThousands(text)) : null);
    }

    /// <summary>Returns the answer of a reference: its marked answer, the text itself if it is mathematics, otherwise the number it begins
    /// with.</summary>
    internal static string Reference(string text) => Extract(text, AnswerPlaces.Marked) ?? Reduced(text) ?? text;

    // LaTeX's 32,\! 349 is 32,349, also outside formulas.
    private static string PlainThousands(string text)
    {
        const string Separator = ",\\!";
        var found = text.IndexOf(Separator, StringComparison.Ordinal);
        if (found < 0)
            return text;
        var plain = new StringBuilder(text.Length);
        var start = 0;
        for (; found >= 0; found = text.IndexOf(Separator, found + 1, StringComparison.Ordinal))
        {
            var digits = found + Separator.Length;
            while (digits < text.Length && text[digits] == ' ')
                digits++;
            var isThousands =
                found > 0
                && char.IsAsciiDigit(text[found - 1])
                && text.Length >= digits + 3
                && text.AsSpan(digits, 3).IndexOfAnyExceptInRange('0', '9') < 0
                && !(text.Length > digits + 3 && char.IsAsciiDigit(text[digits + 3]));
            if (!isThousands)
                continue;
            plain.Append(text, start, found - start).Append(',');
            start = digits;
        }
        return plain.Append(text, start, text.Length - start).ToString();
    }

    private static string? AfterHashes(string text)
    {
        var start = text.LastIndexOf(Hashes, StringComparison.Ordinal);
        if (start < 0)
            return null;
        var rest = text.AsSpan(start + Hashes.Length);
        var end = rest.IndexOfAny('\r', '\n');
        return Reduced(end < 0 ? rest : rest[..end]);
    }

    private static string? InTags(string text)
    {
        var end = text.LastIndexOf(ClosingTag, StringComparison.Ordinal);
        if (end < 0)
            return null;
        var start = text.AsSpan(0, end).LastIndexOf(OpeningTag, StringComparison.Ordinal);
        return start < 0 ? null : Reduced(text.AsSpan(start + OpeningTag.Length, end - start - OpeningTag.Length));
    }

    private static string? AfterPhrase(string text)
    {
        var start = -1;
        foreach (var phrase in Phrases)
        {
            if (text.LastIndexOf(phrase, StringComparison.OrdinalIgnoreCase) is var found and >= 0)
                start = Math.Max(start, found + phrase.Length);
        }

        if (start < 0)
            return null;
        var rest = text.AsSpan(start, Math.Min(LongestSentence, text.Length - start));
        if (rest.IndexOfAny('\r', '\n') is var line and >= 0)
            rest = rest[..line];
        rest = rest[..SentenceEnd(rest.ToString())];
        rest = rest.Trim(" \t:*");
        var words = rest.Trim(" .!?").ToString();
        return AnswerProse.First(rest.ToString())
            ?? (rest.ContainsAnyInRange('0', '9') ? AnswerProse.Last(words) : AnswerProse.Choice(words) ?? NotEmpty(words));
    }

    // Returns the place after the first full stop, exclamation or question mark before a space, outside formulas.
    private static int SentenceEnd(string text)
    {
        var spans = MathSpans.Find(text);
        for (var i = 1; i + 1 < text.Length; i++)
        {
            if (text[i] is not ('.' or '!' or '?') || text[i + 1] != ' ' || text[i - 1] == '\\')
                continue;
            if (!spans.Exists(span => span.Start < i && i < span.End))
                return i + 1;
        }

        return text.Length;
    }

    // "5 apples" is 5, "The answer is 5." is 5; a text that is an answer already or does not begin with a number is unchanged.
    private static string? Reduced(ReadOnlySpan<char> marked)
    {
        if (NotEmpty(marked) is not { } answer || answer.Length > LongestSentence * 20 || AnswerParser.CanParse(answer))
            return NotEmpty(marked);
        if (AfterPhrase(answer) is { } phrase)
            return phrase;
        var isLine = answer.Length <= LongestSentence && answer.AsSpan().IndexOfAny('\r', '\n') < 0;
        var beginning = answer.AsSpan().TrimStart("$\\(+-.");
        return isLine && beginning.Length > 0 && char.IsAsciiDigit(beginning[0]) ? AnswerProse.First(answer) ?? answer : answer;
    }

    private static string? NotEmpty(ReadOnlySpan<char> answer)
    {
        answer = answer.Trim();
        return answer.Length == 0 ? null : answer.ToString();
    }
}
