namespace PostTrain.Rewards;

/// <summary>Finds the final answer of a completion. Total: every text gives an answer or null, in time linear in its length.</summary>
public static class AnswerExtraction
{
    private const string BoxedOpening = "\\boxed{";
    private const string Hashes = "####";
    private const string OpeningTag = "<answer>";
    private const string ClosingTag = "</answer>";

    /// <summary>The final answer, trimmed, or null when none of the places holds one.</summary>
    /// <param name="text">The completion.</param>
    /// <param name="places">Where to look; tried in the order boxed, hashes, tags, last number.</param>
    public static string? Extract(string text, AnswerPlaces places = AnswerPlaces.Any)
    {
        ArgumentNullException.ThrowIfNull(text);
        return (places.HasFlag(AnswerPlaces.Boxed) ? Boxed(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Hashes) ? AfterHashes(text) : null)
            ?? (places.HasFlag(AnswerPlaces.Tags) ? InTags(text) : null)
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

    private static string? NotEmpty(ReadOnlySpan<char> answer)
    {
        answer = answer.Trim();
        return answer.Length == 0 ? null : answer.ToString();
    }
}
