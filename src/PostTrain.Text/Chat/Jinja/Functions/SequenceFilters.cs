namespace PostTrain.Text.Chat.Jinja;

/// <summary>Filters that combine or split sequences.</summary>
internal static class SequenceFilters
{
    internal static string Join(Run run, object? value, Bound given)
    {
        var separator = PythonRepresentation.Text(run, given.Value(0, ""));
        IEnumerable<object?> items = Items.Of(run, value);
        if (given.Value(1, null) is { } attribute)
            items = items.Select(item => AttributePath.Get(run, item, attribute));
        return TextSearch.Join(run, separator, [.. items.Select(item => PythonRepresentation.Text(run, item))]);
    }

    internal static object? First(Run run, object? value)
    {
        if (value is GeneratorValue generator)
            return generator.TryTakeFirst(out var taken) ? taken : Empty("first");
        var items = Items.Of(run, value);
        return items.Length > 0 ? items[0] : Empty("first");
    }

    internal static object? Last(Run run, object? value)
    {
        if (value is GeneratorValue)
            throw run.Error("a generator has no last item, put '| list' before '| last'");
        var items = Items.Of(run, value);
        return items.Length > 0 ? items[^1] : Empty("last");
    }

    internal static GeneratorValue Pairs(Run run, object? value) =>
        value switch
        {
            Undefined => new GeneratorValue([]),
            DictValue dict => new GeneratorValue(Items.Of(run, new ViewValue("dict_items", dict.Items()))),
            _ => throw run.Error($"items needs a dict, found {PythonText.TypeName(value)}"),
        };

    internal static object? Sum(Run run, object? value, Bound given)
    {
        var sum = given.Value(1, 0L);
        if (sum is string)
            throw run.Error("sum adds no strings, use join");
        foreach (var item in Items.Of(run, value))
            sum = Arithmetic.Apply(run, "+", sum, given.Value(0, null) is { } attribute ? AttributePath.Get(run, item, attribute) : item);
        return sum;
    }

    internal static object? Reverse(Run run, object? value)
    {
        var reversed = Items.Of(run, value).Reverse().ToArray();
        return value is string ? string.Concat(reversed) : new GeneratorValue(reversed);
    }

    internal static GeneratorValue Batch(Run run, object? value, Bound given)
    {
        var size = given.Integer(0);
        if (size < 1)
            throw run.Error($"batch needs a size of at least 1, was given {size}");
        object?[][] rows = [.. Items.Of(run, value).Chunk((int)Math.Min(size, int.MaxValue))];
        if (rows.Length > 0 && given.Value(1, null) is { } filling && rows[^1].Length < size)
        {
            run.Charge(size);
            rows[^1] = [.. rows[^1], .. Enumerable.Repeat(filling, (int)size - rows[^1].Length)];
        }

        return new GeneratorValue([.. rows.Select(row => new ListValue(row))]);
    }

    internal static GeneratorValue Slices(Run run, object? value, Bound given)
    {
        var count = given.Integer(0);
        if (count < 1)
            throw run.Error($"slice needs at least 1 slice, was given {count}");
        run.Charge(count);
        var items = Items.Of(run, value);
        var (length, longer) = (items.Length / (int)count, items.Length % (int)count);
        var slices = new object?[count];
        var at = 0;
        for (var place = 0; place < count; place++)
        {
            var row = items[at..(at += length + (place < longer ? 1 : 0))];
            slices[place] = new ListValue(given.Value(1, null) is { } filling && place >= longer && longer > 0 ? [.. row, filling] : row);
        }

        return new GeneratorValue(slices);
    }

    private static Undefined Empty(string which) => new($"there is no {which} item, the sequence is empty");
}
