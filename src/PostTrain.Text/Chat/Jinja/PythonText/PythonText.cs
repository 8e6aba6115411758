namespace PostTrain.Text.Chat.Jinja;

/// <summary>Python strings: sequences of code points.</summary>
internal static class PythonText
{
    /// <summary>Returns true for white space according to Python's <c>str.isspace</c> and <c>\s</c>.</summary>
    internal static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\x1c' and <= '\x1f';

    /// <summary>Returns the number of code points.</summary>
    internal static int Length(string text) => text.Length - Pairs(text);

    /// <summary>Returns the number of code points before a position.</summary>
    internal static int CodePointsBefore(string text, int place) => place - Pairs(text.AsSpan(0, place));

    /// <summary>Returns the code points, each as a string.</summary>
    internal static string[] Characters(Run run, string text)
    {
        run.Charge(text.Length);
        var characters = new string[Length(text)];
        for (int place = 0, at = 0; place < characters.Length; place++)
        {
            var length = IsPair(text, at) ? 2 : 1;
            characters[place] = text.Substring(at, length);
            at += length;
        }

        return characters;
    }

    /// <summary>Returns the Python name of the value's type.</summary>
    internal static string TypeName(object? value) =>
        value switch
        {
            null => "None",
            bool => "bool",
            string => "str",
            double => "float",
            long or System.Numerics.BigInteger => "int",
            ListValue => "list",
            TupleValue => "tuple",
            DictValue => "dict",
            ViewValue view => view.Kind,
            RangeValue => "range",
            GeneratorValue => "generator",
            NamespaceValue => "Namespace",
            LoopValue => "LoopContext",
            FunctionValue => "function",
            _ => "Undefined",
        };

    internal static string Strip(string text, string? characters, bool start = true, bool end = true)
    {
        var (first, last) = (0, text.Length);
        while (start && first < last && Matches(text, first, characters, out var length))
            first += length;
        while (
            end && last > first && Matches(text, last - (last - 2 >= first && IsPair(text, last - 2) ? 2 : 1), characters, out var length)
        )
            last -= length;
        return text[first..last];
    }

    /// <summary>Converts the first letter to upper case and the others to lower case.</summary>
    internal static string Capitalize(string text)
    {
        var first = text.Length > 0 && IsPair(text, 0) ? 2 : Math.Min(1, text.Length);
        return (text.StartsWith('ß') ? "Ss" : Upper(text[..first])) + Lower(text[first..]);
    }

    // The simple mappings, and the only full mapping in common use.
    internal static string Upper(string text) => text.ToUpperInvariant().Replace("ß", "SS", StringComparison.Ordinal);

    internal static string Lower(string text) => text.ToLowerInvariant();

    internal static bool IsPair(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]);

    private static bool Matches(string text, int at, string? characters, out int length)
    {
        length = IsPair(text, at) ? 2 : 1;
        return characters is null ? IsSpace(text[at]) : characters.AsSpan().IndexOf(text.AsSpan(at, length), StringComparison.Ordinal) >= 0;
    }

    private static int Pairs(ReadOnlySpan<char> text)
    {
        var pairs = 0;
        if (text.IndexOfAnyInRange('\ud800', '\udbff') < 0)
            return pairs;
        for (var at = 1; at < text.Length; at++)
        {
            if (!char.IsSurrogatePair(text[at - 1], text[at]))
                continue;
            pairs++;
            at++;
        }

        return pairs;
    }
}
