using System.Text;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>Finds, counts, replaces and joins texts; results are counted against the limits before they are created.</summary>
internal static class TextSearch
{
    internal static long Find(Run run, string text, Bound given, bool last)
    {
        var wanted = given.Text(0);
        run.ChargeSearch(text, wanted);
        var length = PythonText.Length(text);
        var (start, end) = (Limit(given.OptionalInteger(1) ?? 0, length), Limit(given.OptionalInteger(2) ?? length, length));
        if (start > end || (given.Integer(1, 0) > length))
            return -1;
        var (first, stop) = length == text.Length ? (start, end) : (Utf16(run, text, start), Utf16(run, text, end));
        var part = text.AsSpan(first, stop - first);
        var place = last ? part.LastIndexOf(wanted, StringComparison.Ordinal) : part.IndexOf(wanted, StringComparison.Ordinal);
        return place < 0 ? -1 : PythonText.CodePointsBefore(text, first + place);
    }

    internal static long Count(Run run, string text, string wanted)
    {
        run.ChargeSearch(text, wanted);
        return wanted.Length == 0 ? PythonText.Length(text) + 1 : text.AsSpan().Count(wanted);
    }

    /// <summary>Replaces the first <paramref name="count"/> occurrences, all if it is negative.</summary>
    internal static string Replace(Run run, string text, string old, string replacement, long count)
    {
        run.ChargeSearch(text, old);
        if (count == 0)
            return text;
        if (old.Length == 0)
            return Interleave(run, text, replacement, count);
        long found = text.AsSpan().Count(old);
        found = count < 0 ? found : Math.Min(found, count);
        run.ChargeText(text.Length + (found * (replacement.Length - (long)old.Length)));
        if (count < 0)
            return text.Replace(old, replacement, StringComparison.Ordinal);
        var result = new StringBuilder();
        var at = 0;
        for (; found > 0; found--)
        {
            var place = text.IndexOf(old, at, StringComparison.Ordinal);
            result.Append(text, at, place - at).Append(replacement);
            at = place + old.Length;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    internal static string Join(Run run, string separator, IReadOnlyList<string> parts)
    {
        run.ChargeText(parts.Sum(part => (long)part.Length) + ((long)separator.Length * Math.Max(0, parts.Count - 1)));
        return string.Join(separator, parts);
    }

    // Inserts the replacement between any two characters and at both ends.
    private static string Interleave(Run run, string text, string replacement, long count)
    {
        var characters = PythonText.Characters(run, text);
        long places = characters.Length + 1;
        places = count < 0 ? places : Math.Min(places, count);
        run.ChargeText(text.Length + (places * replacement.Length));
        var result = new StringBuilder();
        for (var at = 0; at <= characters.Length; at++)
            result.Append(at < places ? replacement : "").Append(at < characters.Length ? characters[at] : "");
        return result.ToString();
    }

    private static int Limit(long place, int length) => (int)Math.Clamp(place < 0 ? Math.Max(place, -length) + length : place, 0, length);

    private static int Utf16(Run run, string text, int codePoints) =>
        PythonText.Characters(run, text).Take(codePoints).Sum(character => character.Length);
}
