namespace PostTrain.Text.Chat.Jinja;

/// <summary>The filters, by name.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Func<Run, object?, Arguments, object?>> ByName = new(StringComparer.Ordinal)
    {
        ["tojson"] = JsonText.Filter,
        ["trim"] = (run, value, given) => PythonText.Strip(Text(run, value), given.Bind(run, "trim", "chars").OptionalText(0)),
        ["upper"] = (run, value, _) => PythonText.Upper(Text(run, value)),
        ["lower"] = (run, value, _) => PythonText.Lower(Text(run, value)),
        ["capitalize"] = (run, value, _) => PythonText.Capitalize(Text(run, value)),
        ["title"] = (run, value, _) => TextFilters.Title(Text(run, value)),
        ["string"] = (run, value, _) => Text(run, value),
        ["safe"] = (run, value, _) => Text(run, value),
        ["escape"] = (run, value, _) => TextFilters.Escape(run, Text(run, value)),
        ["e"] = (run, value, _) => TextFilters.Escape(run, Text(run, value)),
        ["replace"] = (run, value, given) =>
            given.Bind(run, "replace", "old", "new", "count") is var bound
                ? TextSearch.Replace(
                    run,
                    Text(run, value),
                    Text(run, bound.Value(0)),
                    Text(run, bound.Value(1)),
                    bound.OptionalInteger(2) ?? -1
                )
                : null,
        ["format"] = (run, value, given) => PrintfFormat.Apply(run, Text(run, value), Formatted(run, given)),
        ["indent"] = (run, value, given) =>
            TextFilters.Indent(
                run,
                value as string ?? throw run.Error($"indent needs a string, found {PythonText.TypeName(value)}"),
                given.Bind(run, "indent", "width", "first", "blank")
            ),
        ["center"] = (run, value, given) => StringMethods.Center(run, Text(run, value), given.Bind(run, "center", "width").Integer(0, 80)),
        ["truncate"] = (run, value, given) =>
            TextFilters.Truncate(run, Text(run, value), given.Bind(run, "truncate", "length", "killwords", "end", "leeway")),
        ["wordcount"] = (run, value, _) => TextFilters.WordCount(Text(run, value)),
        ["join"] = (run, value, given) => SequenceFilters.Join(run, value, given.Bind(run, "join", "d", "attribute")),
        ["length"] = (run, value, _) => Items.Count(run, value),
        ["count"] = (run, value, _) => Items.Count(run, value),
        ["first"] = (run, value, _) => SequenceFilters.First(run, value),
        ["last"] = (run, value, _) => SequenceFilters.Last(run, value),
        ["list"] = (run, value, _) => new ListValue(Items.Of(run, value)),
        ["items"] = (run, value, _) => SequenceFilters.Pairs(run, value),
        ["dictsort"] = (run, value, given) =>
            SortingFilters.SortDict(run, value, given.Bind(run, "dictsort", "case_sensitive", "by", "reverse")),
        ["sort"] = (run, value, given) =>
            SortingFilters.Sort(run, value, given.Bind(run, "sort", "reverse", "case_sensitive", "attribute")),
        ["unique"] = (run, value, given) => SortingFilters.Unique(run, value, given.Bind(run, "unique", "case_sensitive", "attribute")),
        ["min"] = (run, value, given) => SortingFilters.Extreme(run, value, given.Bind(run, "min", "case_sensitive", "attribute"), sign: 1),
        ["max"] = (run, value, given) =>
            SortingFilters.Extreme(run, value, given.Bind(run, "max", "case_sensitive", "attribute"), sign: -1),
        ["sum"] = (run, value, given) => SequenceFilters.Sum(run, value, given.Bind(run, "sum", "attribute", "start")),
        ["reverse"] = (run, value, _) => SequenceFilters.Reverse(run, value),
        ["batch"] = (run, value, given) => SequenceFilters.Batch(run, value, given.Bind(run, "batch", "linecount", "fill_with")),
        ["slice"] = (run, value, given) => SequenceFilters.Slices(run, value, given.Bind(run, "slice", "slices", "fill_with")),
        ["map"] = SelectionFilters.Map,
        ["select"] = (run, value, given) => SelectionFilters.Select(run, value, given, wanted: true),
        ["reject"] = (run, value, given) => SelectionFilters.Select(run, value, given, wanted: false),
        ["selectattr"] = (run, value, given) => SelectionFilters.SelectByAttribute(run, value, given, wanted: true),
        ["rejectattr"] = (run, value, given) => SelectionFilters.SelectByAttribute(run, value, given, wanted: false),
        ["attr"] = (run, value, given) => Members.Attribute(run, value, given.Bind(run, "attr", "name").Text(0)),
        ["default"] = Default,
        ["d"] = Default,
        ["int"] = (run, value, given) => NumberFilters.Integer(run, value, given.Bind(run, "int", "default", "base")),
        ["float"] = (run, value, given) => NumberFilters.Real(run, value, given.Bind(run, "float", "default")),
        ["abs"] = (run, value, _) => NumberFilters.Absolute(run, value),
        ["round"] = (run, value, given) => NumberFilters.Round(run, value, given.Bind(run, "round", "precision", "method")),
    };

    internal static object? Apply(Run run, string name, object? value, Arguments arguments) =>
        ByName.TryGetValue(name, out var filter) ? filter(run, value, arguments) : throw run.Error($"there is no filter '{name}'");

    // Names, or values in order.
    private static object Formatted(Run run, Arguments given)
    {
        if (given.Named.Count == 0)
            return new TupleValue(given.Positional);
        if (given.Positional.Length > 0)
            throw run.Error("can't handle positional and keyword arguments at the same time");
        var names = new DictValue();
        foreach (var (name, value) in given.Named)
            names.Set(name, value);
        return names;
    }

    // Most filters make a text as long as their input.
    private static string Text(Run run, object? value)
    {
        var text = PythonRepresentation.Text(run, value);
        run.ChargeText(text.Length);
        return text;
    }

    private static object? Default(Run run, object? value, Arguments arguments)
    {
        var given = arguments.Bind(run, "default", "default_value", "boolean");
        return value is Undefined || (given.Flag(1, false) && !Comparison.IsTrue(run, value)) ? given.Value(0, "") : value;
    }
}
