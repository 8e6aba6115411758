namespace PostTrain.Text.Chat.Jinja;

/// <summary>Filters that compare items; strings are compared without case unless requested.</summary>
internal static class SortingFilters
{
    internal static ListValue Sort(Run run, object? value, Bound given)
    {
        var caseSensitive = given.Flag(1, false);
        object?[] attributes = given.Value(2, null) is string names ? names.Split(',') : [given.Value(2, null)];
        var rows = Items
            .Of(run, value)
            .Select(item => (Item: item, Keys: attributes.Select(name => Key(run, item, name, caseSensitive)).ToArray()))
            .ToArray();
        var sign = given.Flag(0, false) ? -1 : 1;
        return new ListValue([
            .. Ordered(rows, (a, b) => sign * Comparison.Order(run, new TupleValue(a.Keys), new TupleValue(b.Keys)))
                .Select(row => row.Item),
        ]);
    }

    internal static ListValue SortDict(Run run, object? value, Bound given)
    {
        if (value is not DictValue dict)
            throw run.Error($"dictsort needs a dict, found {PythonText.TypeName(value)}");
        var place = given.Text(1, "key") switch
        {
            "key" => 0,
            "value" => 1,
            var other => throw run.Error($"dictsort sorts by 'key' or 'value', not by '{other}'"),
        };
        var caseSensitive = given.Flag(0, false);
        var sign = given.Flag(2, false) ? -1 : 1;
        var pairs = Items.Of(run, new ListValue(dict.Items())).Cast<TupleValue>().ToArray();
        return new ListValue([
            .. Ordered(
                pairs,
                (a, b) => sign * Comparison.Order(run, Fold(a.Items[place], caseSensitive), Fold(b.Items[place], caseSensitive))
            ),
        ]);
    }

    internal static GeneratorValue Unique(Run run, object? value, Bound given)
    {
        var caseSensitive = given.Flag(0, false);
        var seen = new DictValue();
        List<object?> unique = [];
        foreach (var item in Items.Of(run, value))
        {
            var key = Key(run, item, given.Value(1, null), caseSensitive);
            if (!DictValue.CanBeKey(key))
                throw run.Error($"unique does not compare {PythonText.TypeName(key)}");
            if (seen.TryGet(key, out _))
                continue;
            seen.Set(key, null);
            unique.Add(item);
        }

        return new GeneratorValue([.. unique]);
    }

    internal static object? Extreme(Run run, object? value, Bound given, int sign)
    {
        var caseSensitive = given.Flag(0, false);
        var items = Items.Of(run, value);
        if (items.Length == 0)
            return new Undefined("there is no such item, the sequence is empty");
        var (best, bestKey) = (items[0], Key(run, items[0], given.Value(1, null), caseSensitive));
        foreach (var item in items[1..])
        {
            var key = Key(run, item, given.Value(1, null), caseSensitive);
            if (sign * Comparison.Order(run, key, bestKey) < 0)
                (best, bestKey) = (item, key);
        }

        return best;
    }

    private static object? Key(Run run, object? item, object? attribute, bool caseSensitive) =>
        Fold(attribute is null ? item : AttributePath.Get(run, item, attribute), caseSensitive);

    private static object? Fold(object? key, bool caseSensitive) => key is string text && !caseSensitive ? PythonText.Lower(text) : key;

    // Stable; an exception of the comparison is not wrapped.
    private static T[] Ordered<T>(T[] rows, Comparison<T> compare)
    {
        try
        {
            return [.. rows.Order(Comparer<T>.Create(compare))];
        }
        catch (InvalidOperationException exception) when (exception.InnerException is TemplateException inner)
        {
            throw inner;
        }
    }
}
