using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Rewards;

/// <summary>Measures of texts and tokens for form rewards, each in time linear in its input.</summary>
internal static class TextMeasures
{
    private static readonly Regex Markers = new(
        @"Step \d+:|^\d+\.|\n\d+\.|\n[-*] |First,|Second,|Next,|Finally,",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking
    );

    // First and last code point of each block of a script.
    private static readonly (WritingScripts Script, int First, int Last)[] Blocks =
    [
        (WritingScripts.Latin, 0x41, 0x24F),
        (WritingScripts.Latin, 0x1E00, 0x1EFF),
        (WritingScripts.Latin, 0x2C60, 0x2C7F),
        (WritingScripts.Latin, 0xFF21, 0xFF5A),
        (WritingScripts.Greek, 0x370, 0x3FF),
        (WritingScripts.Greek, 0x1F00, 0x1FFF),
        (WritingScripts.Cyrillic, 0x400, 0x52F),
        (WritingScripts.Hebrew, 0x590, 0x5FF),
        (WritingScripts.Arabic, 0x600, 0x6FF),
        (WritingScripts.Arabic, 0x750, 0x77F),
        (WritingScripts.Arabic, 0xFB50, 0xFEFF),
        (WritingScripts.Devanagari, 0x900, 0x97F),
        (WritingScripts.Thai, 0xE00, 0xE7F),
        (WritingScripts.Hangul, 0x1100, 0x11FF),
        (WritingScripts.Hangul, 0xAC00, 0xD7AF),
        (WritingScripts.Kana, 0x3040, 0x30FF),
        (WritingScripts.Kana, 0x31F0, 0x31FF),
        (WritingScripts.Kana, 0xFF66, 0xFF9D),
        (WritingScripts.Han, 0x3005, 0x3007),
        (WritingScripts.Han, 0x3400, 0x4DBF),
        (WritingScripts.Han, 0x4E00, 0x9FFF),
        (WritingScripts.Han, 0xF900, 0xFAFF),
        (WritingScripts.Han, 0x20000, 0x323AF),
    ];

    internal static bool OccursOnce(string text, string mark)
    {
        var first = text.IndexOf(mark, StringComparison.Ordinal);
        return first >= 0 && text.IndexOf(mark, first + mark.Length, StringComparison.Ordinal) < 0;
    }

    internal static int CountMarkers(string text) => Markers.Count(text);

    /// <summary>Computes 1 − distinct / all n-grams; 0 if there are none.</summary>
    internal static double RepeatedShare<T>(ReadOnlySpan<T> items, int size)
        where T : notnull
    {
        var count = items.Length - size + 1;
        if (count <= 0)
            return 0;
        // Each n-gram is the pair of the (n-1)-gram's number and the next item: exact, without building texts.
        var numbers = new int[items.Length];
        var ids = new Dictionary<T, int>();
        for (var i = 0; i < items.Length; i++)
        {
            if (!ids.TryGetValue(items[i], out var id))
                ids[items[i]] = id = ids.Count;
            numbers[i] = id;
        }

        var grams = (int[])numbers.Clone();
        var distinct = ids.Count;
        for (var length = 2; length <= size; length++)
        {
            var pairs = new Dictionary<(int, int), int>();
            for (var i = 0; i + length <= items.Length; i++)
            {
                var pair = (grams[i], numbers[i + length - 1]);
                if (!pairs.TryGetValue(pair, out var id))
                    pairs[pair] = id = pairs.Count;
                grams[i] = id;
            }

            distinct = pairs.Count;
        }

        return 1 - distinct / (double)count;
    }

    internal static double ScriptShare(string text, WritingScripts scripts)
    {
        int letters = 0,
            wanted = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (!Rune.IsLetter(rune))
                continue;
            letters++;
            if (Blocks.Any(block => rune.Value >= block.First && rune.Value <= block.Last && scripts.HasFlag(block.Script)))
                wanted++;
        }

        return letters == 0 ? 1 : wanted / (double)letters;
    }
}
