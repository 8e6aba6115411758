namespace PostTrain.Data.Curation;

/// <summary>ROUGE-L: how much of a text is in another in the same order (Lin 2004, "ROUGE: a package for automatic evaluation of
/// summaries", section 3).</summary>
/// <remarks>Against many texts at once: <see cref="RougeLPool"/>.</remarks>
internal static class RougeL
{
    /// <summary>The score of a text against another, by words as <see cref="Words"/> splits them.</summary>
    /// <param name="candidate">The text to judge.</param>
    /// <param name="reference">The text to compare with.</param>
    public static RougeLScore Score(string candidate, string reference) => Score(Words(candidate), Words(reference));

    /// <summary>Overload for words or tokens of your own.</summary>
    /// <remarks>O(n·m/64) time and O(n + m) memory, of which the table takes O(min(n, m)).</remarks>
    /// <typeparam name="T">Items that know when they are equal.</typeparam>
    /// <param name="candidate">The text to judge.</param>
    /// <param name="reference">The text to compare with.</param>
    public static RougeLScore Score<T>(IReadOnlyList<T> candidate, IReadOnlyList<T> reference)
        where T : notnull
    {
        ArgumentNullException.ThrowIfNull(candidate);
        ArgumentNullException.ThrowIfNull(reference);
        var ids = new Dictionary<T, int>();
        int[] first = Ids(candidate, ids),
            second = Ids(reference, ids);
        return new RougeLScore(CommonSubsequence.Length(first, second), first.Length, second.Length);
    }

    /// <summary>Runs of letters and digits in lower case; everything else separates them.</summary>
    /// <remarks>As the package rouge-score without its stemmer, for texts in ASCII; that package drops all other letters, which count here.
    /// A script without spaces gives one word a run.</remarks>
    /// <param name="text">Any text.</param>
    public static IReadOnlyList<string> Words(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = new List<string>();
        for (int start = 0; start < text.Length; )
        {
            int end = start;
            while (end < text.Length && IsPart(text[end]))
                end++;
            if (end > start)
                words.Add(text[start..end].ToLowerInvariant());
            start = end + 1;
        }
        return words;
    }

    // Half a surrogate pair is taken for a letter, so that pairs stay together.
    private static bool IsPart(char character) =>
        char.IsLetterOrDigit(character)
        || char.IsSurrogate(character)
        || char.GetUnicodeCategory(character) == System.Globalization.UnicodeCategory.NonSpacingMark;

    private static int[] Ids<T>(IReadOnlyList<T> items, Dictionary<T, int> ids)
        where T : notnull
    {
        var numbers = new int[items.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (!ids.TryGetValue(items[i], out int id))
                ids[items[i]] = id = ids.Count;
            numbers[i] = id;
        }
        return numbers;
    }
}
