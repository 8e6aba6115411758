namespace PostTrain.Text.Chat.Jinja;

/// <summary>The methods of strings.</summary>
internal static class StringMethods
{
    private static readonly Dictionary<string, Func<Run, string, Arguments, object?>> Methods = new(StringComparer.Ordinal)
    {
        ["strip"] = (run, text, given) => PythonText.Strip(text, given.Bind(run, "strip", "chars").OptionalText(0)),
        ["lstrip"] = (run, text, given) => PythonText.Strip(text, given.Bind(run, "lstrip", "chars").OptionalText(0), end: false),
        ["rstrip"] = (run, text, given) => PythonText.Strip(text, given.Bind(run, "rstrip", "chars").OptionalText(0), start: false),
        ["upper"] = (_, text, _) => PythonText.Upper(text),
        ["lower"] = (_, text, _) => PythonText.Lower(text),
        ["casefold"] = (_, text, _) => PythonText.Lower(text).Replace("ß", "ss", StringComparison.Ordinal),
        ["capitalize"] = (_, text, _) => PythonText.Capitalize(text),
        ["title"] = (run, text, _) => Title(run, text),
        ["swapcase"] = (run, text, _) => string.Concat(PythonText.Characters(run, text).Select(SwapCase)),
        ["startswith"] = (run, text, given) => Affix(run, given, "startswith", text.StartsWith),
        ["endswith"] = (run, text, given) => Affix(run, given, "endswith", text.EndsWith),
        ["removeprefix"] = (run, text, given) =>
            given.Bind(run, "removeprefix", "prefix").Text(0) is var prefix && text.StartsWith(prefix, StringComparison.Ordinal)
                ? text[prefix.Length..]
                : text,
        ["removesuffix"] = (run, text, given) =>
            given.Bind(run, "removesuffix", "suffix").Text(0) is var suffix && text.EndsWith(suffix, StringComparison.Ordinal)
                ? text[..^suffix.Length]
                : text,
        ["replace"] = (run, text, given) =>
            given.Bind(run, "replace", "old", "new", "count") is var bound
                ? TextSearch.Replace(run, text, bound.Text(0), bound.Text(1), bound.Integer(2, -1))
                : null,
        ["split"] = (run, text, given) => Splitting.Split(run, text, given.Bind(run, "split", "sep", "maxsplit"), fromRight: false),
        ["rsplit"] = (run, text, given) => Splitting.Split(run, text, given.Bind(run, "rsplit", "sep", "maxsplit"), fromRight: true),
        ["splitlines"] = (run, text, given) =>
            new ListValue([.. Splitting.Lines(run, text, given.Bind(run, "splitlines", "keepends").Flag(0, false))]),
        ["partition"] = (run, text, given) => Splitting.Partition(run, text, given.Bind(run, "partition", "sep").Text(0), last: false),
        ["rpartition"] = (run, text, given) => Splitting.Partition(run, text, given.Bind(run, "rpartition", "sep").Text(0), last: true),
        ["join"] = (run, text, given) => Join(run, text, given.Bind(run, "join", "iterable").Value(0)),
        ["find"] = (run, text, given) => TextSearch.Find(run, text, given.Bind(run, "find", "sub", "start", "end"), last: false),
        ["rfind"] = (run, text, given) => TextSearch.Find(run, text, given.Bind(run, "rfind", "sub", "start", "end"), last: true),
        ["index"] = (run, text, given) =>
            Found(run, TextSearch.Find(run, text, given.Bind(run, "index", "sub", "start", "end"), last: false)),
        ["rindex"] = (run, text, given) =>
            Found(run, TextSearch.Find(run, text, given.Bind(run, "rindex", "sub", "start", "end"), last: true)),
        ["count"] = (run, text, given) => TextSearch.Count(run, text, given.Bind(run, "count", "sub").Text(0)),
        ["center"] = (run, text, given) => Pad(run, text, given, "center"),
        ["ljust"] = (run, text, given) => Pad(run, text, given, "ljust"),
        ["rjust"] = (run, text, given) => Pad(run, text, given, "rjust"),
        ["zfill"] = (run, text, given) => FillZeros(run, text, given.Bind(run, "zfill", "width").Integer(0)),
        ["isspace"] = (_, text, _) => text.Length > 0 && text.All(PythonText.IsSpace),
        ["isdigit"] = (_, text, _) => text.Length > 0 && text.All(char.IsDigit),
        ["isdecimal"] = (_, text, _) => text.Length > 0 && text.All(char.IsDigit),
        ["isnumeric"] = (_, text, _) => text.Length > 0 && text.All(char.IsNumber),
        ["isalpha"] = (_, text, _) => text.Length > 0 && text.EnumerateRunes().All(System.Text.Rune.IsLetter),
        ["isalnum"] = (_, text, _) => text.Length > 0 && text.EnumerateRunes().All(System.Text.Rune.IsLetterOrDigit),
        ["isupper"] = (_, text, _) => IsUpper(text),
        ["islower"] = (_, text, _) => IsLower(text),
    };

    internal static FunctionValue? Find(string text, string name) =>
        !Methods.TryGetValue(name, out var method)
            ? null
            : new FunctionValue(
                name,
                (run, arguments) =>
                {
                    run.ChargeText(text.Length);
                    return method(run, text, arguments);
                }
            );

    internal static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(char.IsLower);

    internal static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(char.IsUpper);

    internal static string Center(Run run, string text, long width, string fill = " ", string how = "center")
    {
        var margin = width - PythonText.Length(text);
        if (margin <= 0)
            return text;
        run.ChargeText(text.Length + (margin * fill.Length));
        // If the margin is odd, Python puts the larger part on the left if the width is odd too.
        var left = how switch
        {
            "ljust" => 0,
            "rjust" => margin,
            _ => (margin / 2) + (margin & width & 1),
        };
        string Fill(long count) => string.Concat(Enumerable.Repeat(fill, (int)count));
        return Fill(left) + text + Fill(margin - left);
    }

    private static string Pad(Run run, string text, Arguments arguments, string name)
    {
        var given = arguments.Bind(run, name, "width", "fillchar");
        var fill = given.Text(1, " ");
        return PythonText.Length(fill) == 1
            ? Center(run, text, given.Integer(0), fill, name)
            : throw run.Error($"{name} needs one character to fill with");
    }

    private static string FillZeros(Run run, string text, long width)
    {
        var sign = text.Length > 0 && text[0] is '+' or '-' ? 1 : 0;
        return text[..sign] + Center(run, text[sign..], width - sign, "0", "rjust");
    }

    private static bool Affix(Run run, Arguments arguments, string name, Func<string, StringComparison, bool> test)
    {
        var wanted = arguments.Bind(run, name, "prefix").Value(0);
        return wanted switch
        {
            string one => test(one, StringComparison.Ordinal),
            TupleValue several => several.Items.Any(item =>
                item is string one ? test(one, StringComparison.Ordinal) : throw run.Error($"{name} needs strings")
            ),
            _ => throw run.Error($"{name} needs a string or a tuple of strings, found {PythonText.TypeName(wanted)}"),
        };
    }

    private static string Join(Run run, string separator, object? items)
    {
        string[] parts =
        [
            .. Items
                .Of(run, items)
                .Select(item => item as string ?? throw run.Error($"join needs strings, found {PythonText.TypeName(item)}")),
        ];
        return TextSearch.Join(run, separator, parts);
    }

    private static long Found(Run run, long place) => place >= 0 ? place : throw run.Error("substring not found");

    private static string Title(Run run, string text)
    {
        var inWord = false;
        return string.Concat(
            PythonText
                .Characters(run, text)
                .Select(character =>
                {
                    var result = inWord ? PythonText.Lower(character) : PythonText.Capitalize(character);
                    inWord = System.Text.Rune.TryGetRuneAt(character, 0, out var rune) && System.Text.Rune.IsLetter(rune);
                    return result;
                })
        );
    }

    private static string SwapCase(string character) =>
        PythonText.Upper(character) == character ? PythonText.Lower(character) : PythonText.Upper(character);
}
