using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace PostTrain.Text.HuggingFace;

/// <summary>A regular expression of a tokenizer's file.</summary>
/// <remarks>.NET matches UTF-16 units and has no class for a single surrogate; Oniguruma matches code points. For matching only, each
/// character beyond U+FFFF is replaced by a character of the basic plane with the same general category that the expression does not
/// name.</remarks>
internal sealed class RegexPattern : TextPattern
{
    private const int MaximumLength = 1 << 16;
    private const int CompiledPatterns = 32;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);
    private static readonly ConcurrentDictionary<string, Regex> Compiled = new(StringComparer.Ordinal);
    private readonly string source;
    private readonly OnigurumaTranslation translation;
    private readonly Lazy<Regex> regex;
    private readonly Lazy<char[]> substitutes;

    private RegexPattern(string source, OnigurumaTranslation translation)
    {
        this.source = source;
        this.translation = translation;
        regex = new Lazy<Regex>(() => Compile(translation.Pattern));
        substitutes = new Lazy<char[]>(Substitutes);
    }

    internal static RegexPattern From(TokenizerNode node)
    {
        var text = node.Text();
        if (text.Length > MaximumLength)
            throw new InvalidDataException($"{node.Place} has {text.Length} characters, expected at most {MaximumLength}");
        try
        {
            return Create(text);
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{node.Place} is not a supported regular expression: {exception.Message}", exception);
        }
    }

    /// <summary>Translates an Oniguruma expression.</summary>
    /// <exception cref="ArgumentException">It is malformed or has an unsupported construct, which the message names.</exception>
    internal static RegexPattern Create(string pattern)
    {
        var translation = OnigurumaTranslator.Translate(pattern);
        _ = new Regex(translation.Pattern, RegexOptions.CultureInvariant, Timeout);
        return new RegexPattern(pattern, translation);
    }

    internal override void Find(ReadOnlySpan<char> text, List<Match> matches)
    {
        try
        {
            if (text.ContainsAnyInRange('\uD800', '\uDFFF'))
                FindInPlanes(text, matches);
            else
                Collect(text, [], text.Length, matches);
        }
        catch (RegexMatchTimeoutException exception)
        {
            throw new ArgumentException(
                $"text takes the regular expression {source} longer than {Timeout.TotalSeconds} s",
                nameof(text),
                exception
            );
        }
    }

    private void FindInPlanes(ReadOnlySpan<char> text, List<Match> matches)
    {
        var flat = new char[text.Length];
        var places = new int[text.Length + 1];
        int count = 0;
        for (int at = 0; at < text.Length; count++)
        {
            places[count] = at;
            Rune.DecodeFromUtf16(text[at..], out var rune, out int width);
            flat[count] = width == 1 ? text[at] : substitutes.Value[(int)Rune.GetUnicodeCategory(rune)];
            at += width;
        }

        places[count] = text.Length;
        Collect(flat.AsSpan(0, count), places, count, matches);
    }

    // places[i]: position in the text of unit i of the matched text; empty if they are equal.
    private void Collect(ReadOnlySpan<char> text, int[] places, int length, List<Match> matches)
    {
        int Place(int index) => places.Length == 0 ? index : places[index];
        int from = 0,
            lastEnd = -1;
        foreach (var match in regex.Value.EnumerateMatches(text))
        {
            // An empty match directly after another one does not count.
            if (match.Length == 0 && match.Index == lastEnd)
                continue;
            if (match.Index > from)
                matches.Add(new Match(Place(from), Place(match.Index), false));
            matches.Add(new Match(Place(match.Index), Place(match.Index + match.Length), true));
            from = lastEnd = match.Index + match.Length;
        }

        if (from < length)
            matches.Add(new Match(Place(from), Place(length), false));
    }

    // Compilation costs milliseconds and permanent memory: only the few expressions of a process are compiled, not any number of files.
    private static Regex Compile(string pattern)
    {
        if (Compiled.TryGetValue(pattern, out var known))
            return known;
        if (Compiled.Count >= CompiledPatterns)
            return new Regex(pattern, RegexOptions.CultureInvariant, Timeout);
        return Compiled.GetOrAdd(pattern, key => new Regex(key, RegexOptions.CultureInvariant | RegexOptions.Compiled, Timeout));
    }

    private char[] Substitutes()
    {
        var found = new char[Enum.GetValues<UnicodeCategory>().Length];
        for (int candidate = 0xFFFF; candidate > 0x7F; candidate--)
        {
            var character = (char)candidate;
            if (char.IsSurrogate(character))
                continue;
            ref char place = ref found[(int)CharUnicodeInfo.GetUnicodeCategory(character)];
            if (place == 0 && !translation.Names(character))
                place = character;
        }

        return found;
    }
}
