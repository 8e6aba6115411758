namespace PostTrain.Text.Chat.Jinja;

/// <summary>Filters that apply a filter or a test to every item.</summary>
internal static class SelectionFilters
{
    internal static object? Map(Run run, object? value, Arguments arguments)
    {
        if (arguments.Positional.Length == 0)
        {
            var given = arguments.Bind(run, "map", "attribute", "default");
            var (path, fallback) = (given.Value(0), given.Value(1, null));
            return new GeneratorValue([.. Items.Of(run, value).Select(item => AttributePath.Get(run, item, path, fallback))]);
        }

        var name = Name(run, "map", arguments, 0);
        return new GeneratorValue([.. Items.Of(run, value).Select(item => Filters.Apply(run, name, item, arguments.After(1)))]);
    }

    internal static object? Select(Run run, object? value, Arguments arguments, bool wanted) =>
        Where(run, value, arguments, 0, item => item, wanted);

    internal static object? SelectByAttribute(Run run, object? value, Arguments arguments, bool wanted)
    {
        if (arguments.Positional.Length == 0)
            throw run.Error("selectattr and rejectattr need the name of an attribute");
        return Where(run, value, arguments, 1, item => AttributePath.Get(run, item, arguments.Positional[0]), wanted);
    }

    private static GeneratorValue Where(Run run, object? value, Arguments arguments, int place, Func<object?, object?> part, bool wanted)
    {
        var test = arguments.Positional.Length > place ? Name(run, "select", arguments, place) : null;
        var rest = test is null ? Arguments.None : arguments.After(place + 1);
        bool Passes(object? item) => test is null ? Comparison.IsTrue(run, part(item)) : Tests.Apply(run, test, part(item), rest);
        return new GeneratorValue([.. Items.Of(run, value).Where(item => Passes(item) == wanted)]);
    }

    private static string Name(Run run, string filter, Arguments arguments, int place) =>
        arguments.Positional[place] as string
        ?? throw run.Error($"{filter} needs the name of a filter or test, found {PythonText.TypeName(arguments.Positional[place])}");
}
