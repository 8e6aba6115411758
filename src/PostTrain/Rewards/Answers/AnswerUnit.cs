using System.Collections.Frozen;

namespace PostTrain.Rewards.Answers;

/// <summary>The unit of a number.</summary>
/// <param name="Name">Its canonical name.</param>
/// <param name="IsCertain">False where it may as well be a variable (5m): then it is not left out in a comparison.</param>
internal sealed record AnswerUnit(string Name, bool IsCertain)
{
    private static readonly FrozenDictionary<string, string> Words = Table();

    /// <summary>One of them has no unit, or both have the same.</summary>
    internal static bool AreCompatible(AnswerUnit? a, AnswerUnit? b) =>
        (a, b) switch
        {
            (null, null) => true,
            (null, { } unit) => unit.IsCertain,
            ({ } unit, null) => unit.IsCertain,
            _ => a.Name == b.Name,
        };

    /// <summary>The unit that a text spells (cm, square meters, km/h, miles per hour), or null.</summary>
    internal static AnswerUnit? Parse(ReadOnlySpan<char> text, bool followsSpace)
    {
        if (text.Length is 0 or > 40) return null;
        var spelling = text.ToString().Trim().Replace(" per ", "/", StringComparison.Ordinal).Replace("{", "", StringComparison.Ordinal)
            .Replace("}", "", StringComparison.Ordinal).Replace('²', '2').Replace('³', '3');
        var parts = spelling.Split('/');
        if (parts.Length > 2) return null;
        var names = new string[parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (Factor(parts[i].Trim()) is not { } name) return null;
            names[i] = name;
        }

        return new AnswerUnit(string.Join('/', names), followsSpace || spelling.Length != 1 || !char.IsAsciiLetter(spelling[0]));
    }

    private static string? Factor(string text)
    {
        var power = "";
        foreach (var (word, exponent) in (ReadOnlySpan<(string, string)>)[("square ", "^2"), ("sq ", "^2"), ("cubic ", "^3")])
        {
            if (!text.StartsWith(word, StringComparison.Ordinal)) continue;
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
            dollar dollars USD; cent cents ¢; euro euros € EUR; £ GBP; ¥ yen; rupee rupees ₹;
            ° degree degrees deg; radian radians rad; unit units; mph; N newton newtons; J joule joules; W watt watts; V volt volts; Hz hertz; K kelvin; °C; °F;
            people; person; students; points; times; ways
            """;
        var table = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in spellings.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            foreach (var word in words) table[word] = words[0];
        }

        return table.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
