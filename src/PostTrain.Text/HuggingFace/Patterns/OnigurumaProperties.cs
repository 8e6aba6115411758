namespace PostTrain.Text.HuggingFace;

/// <summary>Maps the names of character properties, <c>\p{...}</c>, to .NET classes.</summary>
internal static class OnigurumaProperties
{
    /// <summary>Word characters: letters, marks, digits, letter numbers, connectors and the circled letters.</summary>
    internal const string Word = @"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\u24B6-\u24E9";

    private static readonly Dictionary<string, string> Categories = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Letter"] = "L",
        ["UppercaseLetter"] = "Lu",
        ["LowercaseLetter"] = "Ll",
        ["TitlecaseLetter"] = "Lt",
        ["ModifierLetter"] = "Lm",
        ["OtherLetter"] = "Lo",
        ["Mark"] = "M",
        ["NonspacingMark"] = "Mn",
        ["SpacingMark"] = "Mc",
        ["EnclosingMark"] = "Me",
        ["Number"] = "N",
        ["DecimalNumber"] = "Nd",
        ["LetterNumber"] = "Nl",
        ["OtherNumber"] = "No",
        ["Punctuation"] = "P",
        ["ConnectorPunctuation"] = "Pc",
        ["DashPunctuation"] = "Pd",
        ["OpenPunctuation"] = "Ps",
        ["ClosePunctuation"] = "Pe",
        ["InitialPunctuation"] = "Pi",
        ["FinalPunctuation"] = "Pf",
        ["OtherPunctuation"] = "Po",
        ["Symbol"] = "S",
        ["MathSymbol"] = "Sm",
        ["CurrencySymbol"] = "Sc",
        ["ModifierSymbol"] = "Sk",
        ["OtherSymbol"] = "So",
        ["Separator"] = "Z",
        ["SpaceSeparator"] = "Zs",
        ["LineSeparator"] = "Zl",
        ["ParagraphSeparator"] = "Zp",
        ["Control"] = "Cc",
        ["Format"] = "Cf",
        ["PrivateUse"] = "Co",
        ["Unassigned"] = "Cn",
    };

    static OnigurumaProperties()
    {
        foreach (var category in Categories.Values.ToArray())
            Categories[category] = category;
    }

    /// <summary>Returns the property as part of a .NET class.</summary>
    /// <exception cref="ArgumentException">The property is not a general category.</exception>
    internal static string Class(string name, bool negated)
    {
        if (name.StartsWith('^'))
            (name, negated) = (name[1..], !negated);
        var plain = name.Replace("_", "", StringComparison.Ordinal)
            .Replace("-", "", StringComparison.Ordinal)
            .Replace(" ", "", StringComparison.Ordinal);
        if (string.Equals(plain, "Space", StringComparison.OrdinalIgnoreCase))
            return negated ? @"\S" : @"\s";
        if (string.Equals(plain, "Digit", StringComparison.OrdinalIgnoreCase))
            plain = "Nd";
        return Categories.TryGetValue(plain, out var category)
            ? $@"\{(negated ? 'P' : 'p')}{{{category}}}"
            : throw new ArgumentException($@"the property \p{{{name}}} is not supported, only general categories are");
    }
}
