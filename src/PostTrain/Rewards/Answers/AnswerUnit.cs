using System.Collections.Frozen;

namespace PostTrain.Rewards.Answers;

/// <summary>The unit of a number.</summary>
/// <param name="Name">Its canonical name.</param>
/// <param name="IsCertain">False if it may be a variable instead (5m); then a comparison does not ignore it.</param>
internal sealed record AnswerUnit(string Name, bool IsCertain)
{
    private const int LongestName = 60;
    private static readonly FrozenDictionary<string, string> Words = Table();

    private static readonly FrozenDictionary<string, int> Scales = new Dictionary<string, int>
    {
        ["hundred"] = 2,
        ["thousand"] = 3,
        ["million"] = 6,
        ["billion"] = 9,
        ["trillion"] = 12,
    }.ToFrozenDictionary();

    /// <summary>Returns true if one of them has no unit, or both have the same one.</summary>
    internal static bool AreCompatible(AnswerUnit? a, AnswerUnit? b) =>
        (a, b) switch
        {
            (null, null) => true,
            (null, { } unit) => unit.IsCertain,
            ({ } unit, null) => unit.IsCertain,
            _ => a.Name == b.Name,
        };

    /// <summary>Returns the unit that a text spells (cm, square meters, km/h, miles per hour), or null.</summary>
    internal static AnswerUnit? Parse(ReadOnlySpan<char> text, bool followsSpace)
    {
        if (text.Length is 0 or > LongestName)
            return null;
        var spelling = Plain(text)
            .Replace(" per ", "/", StringComparison.Ordinal)
            .Replace("{", "", StringComparison.Ordinal)
            .Replace("}", "", StringComparison.Ordinal)
            .Replace("° ", "°", StringComparison.Ordinal)
            .Replace('²', '2')
            .Replace('³', '3');
        var parts = spelling.Split('/');
        if (parts.Length > 2)
            return null;
        var names = new string[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (Factor(parts[i].Trim()) is not { } name)
                return null;
            names[i] = name;
        }

        return new AnswerUnit(string.Join('/', names), followsSpace || spelling.Length != 1 || !char.IsAsciiLetter(spelling[0]));
    }

    /// <summary>Returns a unit that is in no table: the words themselves, ignoring case and the plural s; null if the text has anything but
    /// words.</summary>
    internal static AnswerUnit? Named(ReadOnlySpan<char> text)
    {
        var words = Plain(text).ToLowerInvariant();
        return words.Length is 0 or > LongestName || !words.All(character => char.IsLetter(character) || character is ' ' or '-' or '.')
            ? null
            : new AnswerUnit(words.TrimEnd('.').TrimEnd('s'), true);
    }

    /// <summary>Returns true if the text is a sign or word for one hundredth.</summary>
    internal static bool IsPercent(ReadOnlySpan<char> text) =>
        Plain(text) is "%" or "percent" or "pct" or "per cent" or "percentage" or "percents";

    /// <summary>Returns the power of ten at the start of a suffix (million, thousand dollars) and the rest of it; null if there is
    /// none.</summary>
    internal static (int Exponent, string Unit)? Scale(ReadOnlySpan<char> text)
    {
        var words = Plain(text);
        var end = words.IndexOf(' ', StringComparison.Ordinal) is var space and >= 0 ? space : words.Length;
        return Scales.TryGetValue(words[..end], out var exponent) ? (exponent, words[end..].Trim()) : null;
    }

    /// <summary>Returns true if a word of a sentence is a unit or the first word of one.</summary>
    internal static bool IsWord(string word) =>
        Words.ContainsKey(word)
        || Scales.ContainsKey(word)
        || IsPercent(word)
        || word is "per" or "square" or "sq" or "cubic"
        || (word.Contains('/', StringComparison.Ordinal) && Parse(word, true) is not null);

    private static string Plain(ReadOnlySpan<char> text) =>
        text.Length > 2 * LongestName ? "" : text.ToString().Replace(AnswerText.Word.ToString(), "", StringComparison.Ordinal).Trim();

    private static string? Factor(string text)
    {
        var power = "";
        foreach (var (word, exponent) in (ReadOnlySpan<(string, string)>)[("square ", "^2"), ("sq ", "^2"), ("cubic ", "^3")])
        {
            if (!text.StartsWith(word, StringComparison.Ordinal))
                continue;
            (text, power) = (text[word.Length..], exponent);
        }

        if (power.Length == 0 && text.Length > 1 && text[^1] is '2' or '3')
        {
            power = $"^{text[^1]}";
            text = text[..^1].TrimEnd(' ', '^');
        }

        return Words.TryGetValue(text, out var name) ? name + power : null;
    }

    private static FrozenDictionary<string, string> Table()
    {
        const string spellings = """
            mm millimeter millimeters millimetre millimetres; cm centimeter centimeters centimetre centimetres; m meter meters metre metres;
            km kilometer kilometers kilometre kilometres; inch inches in; ft foot feet; yd yard yards; mile miles mi;
            mg milligram milligrams; g gram grams; kg kilogram kilograms; lb lbs pound pounds; oz ounce ounces; ton tons;
            ms millisecond milliseconds; s sec second seconds; min minute minutes; h hr hrs hour hours; day days; week weeks; month months; year years;
            ml mL milliliter milliliters; l L liter liters litre litres; gallon gallons; cup cups;
            dollar dollars USD; cent cents ¢; euro euros € EUR; £ GBP; ¥ yen; rupee rupees ₹; yuan; peso pesos; won; franc francs; ruble rubles;
            ° degree degrees deg; radian radians rad; unit units; mph; N newton newtons; J joule joules; W watt watts; V volt volts; Hz hertz; K kelvin; 
            °C degrees_Celsius degrees_celsius degree_Celsius Celsius celsius;
            °F degrees_Fahrenheit degrees_fahrenheit degree_Fahrenheit Fahrenheit fahrenheit;
            people; person; students; points; times; ways
            """;
        var table = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in spellings.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            foreach (var word in words)
                table[word.Replace('_', ' ')] = words[0];
        }

        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
