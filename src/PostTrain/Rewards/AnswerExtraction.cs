using PostTrain.Rewards.Answers;

namespace PostTrain.Rewards;

/// <summary>Finds the final answer of a completion. Total: every text gives an answer or null, in time linear in its length.</summary>
public static class AnswerExtraction
{
    private const int LongestSentence = 200;
    private static readonly string[] Phrases = ["answer is", "answer:", "answer :"];
    private const string BoxedOpening = "\\boxed{";
    private const string Hashes = "####";
    private const string OpeningTag = "<answer>";
    private const string ClosingTag = "</answer>";

    /// <summary>The final answer, trimmed, or null when none of the places holds one.</summary>
    /// <param name="text">The completion.</param>
    /// <param name="places">Where to look; tried in the order boxed, hashes, tags, phrase, last number.</param>
    public static string? Extract(string text, AnswerPlaces places = AnswerPlaces.Any)
    {
        ArgumentNullException.ThrowIfNull(text);
        return (places.HasFlag(AnswerPlaces.Boxed) ? Boxed(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Hashes) ? AfterHashes(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Tags) ? InTags(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Phrase) ? AfterPhrase(text) : null)
            ?? (places.HasFlag(AnswerPlaces.LastNumber) ? NumberScanner.Last(text) : null);
    }

    // One pass with a stack of open braces. An enclosing \boxed closes after the one within it, so the last to close is the last outermost.
    private static string? Boxed(string text)
    {
        var open = new Stack<int>();
        string? answer = null;
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\' when text.AsSpan(i).StartsWith(BoxedOpening, StringComparison.Ordinal):
                    i += BoxedOpening.Length - 1;
                    open.Push(i + 1);
                    break;
                case '\\':
                    i++;            // \{ and \} are characters, not groups
                    break;
                case '{':
                    open.Push(-1);
                    break;
                case '}' when open.TryPop(out var start) && start >= 0:
                    answer = NotEmpty(text.AsSpan(start, i - start)) ?? answer;
                    break;
            }
        }

        return answer;
    }

    private static string? AfterHashes(string text)
    {
        var start = text.LastIndexOf(Hashes, StringComparison.Ordinal);
        if (start < 0)
            return null;
        var rest = text.AsSpan(start + Hashes.Length);
        var end = rest.IndexOfAny('\r', '\n');
        return NotEmpty(end < 0 ? rest : rest[..end]);
    }

    private static string? InTags(string text)
    {
        var end = text.LastIndexOf(ClosingTag, StringComparison.Ordinal);
        if (end < 0)
            return null;
        var start = text.AsSpan(0, end).LastIndexOf(OpeningTag, StringComparison.Ordinal);
        return start < 0 ? null : NotEmpty(text.AsSpan(start + OpeningTag.Length, end - start - OpeningTag.Length));
    }

    private static string? AfterPhrase(string text)
    {
        var start = -1;
        foreach (var phrase in Phrases)
        {
            if (text.LastIndexOf(phrase, StringComparison.OrdinalIgnoreCase) is var found and >= 0)
                start = Math.Max(start, found + phrase.Length);
        }

        if (start < 0) return null;
        var rest = text.AsSpan(start, Math.Min(LongestSentence, text.Length - start));
        if (rest.IndexOfAny('\r', '\n') is var line and >= 0) rest = rest[..line];
        if (rest.IndexOf(". ", StringComparison.Ordinal) is var sentence and >= 0) rest = rest[..sentence];
        rest = rest.Trim(" \t:*.");
        if (!rest.ContainsAnyInRange('0', '9')) return NotEmpty(rest);
        // Ever fewer words, until what is left is mathematics: "12 apples in all" gives 12.
        for (var words = rest; words.Length > 0; words = words[..Math.Max(0, words.LastIndexOf(' '))].TrimEnd())
        {
            if (words.ContainsAnyInRange('0', '9') && AnswerParser.Parse(AnswerText.Normalize(words.ToString()), out _) is not null) return words.ToString();
        }

        return NumberScanner.Last(rest.ToString());
    }

    private static string? NotEmpty(ReadOnlySpan<char> answer)
    {
        answer = answer.Trim();
        return answer.Length == 0 ? null : answer.ToString();
    }
}
