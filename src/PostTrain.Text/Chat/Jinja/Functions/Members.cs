namespace PostTrain.Text.Chat.Jinja;

/// <summary>Attributes, items and slices of values. A missing one is undefined, as in Jinja.</summary>
internal static class Members
{
    /// <summary>Evaluates value.name: a method or attribute, otherwise the item with that name.</summary>
    internal static object? Attribute(Run run, object? value, string name) =>
        value switch
        {
            Undefined missing => throw run.Error(missing.Reason),
            DictValue dict => (object?)DictMethods.Find(dict, name) ?? (dict.TryGet(name, out var found) ? found : Missing(value, name)),
            NamespaceValue space => space.Attributes.TryGetValue(name, out var found) ? found : Missing(value, name),
            LoopValue loop => loop.Attribute(name),
            string text => (object?)StringMethods.Find(text, name) ?? Missing(value, name),
            ListValue or TupleValue => (object?)SequenceMethods.Find((SequenceValue)value, name) ?? Missing(value, name),
            FunctionValue function when name == "name" => function.Name,
            _ => Missing(value, name),
        };

    /// <summary>Evaluates value[index]: an item, otherwise the attribute with that name.</summary>
    internal static object? Item(Run run, object? value, object? index)
    {
        if (value is Undefined missing)
            throw run.Error(missing.Reason);
        if (value is DictValue dict && dict.TryGet(index, out var found))
            return found;
        if (Arithmetic.Whole(index) is { } place && value is not DictValue)
        {
            switch (value)
            {
                case string text:
                    return Place(place, PythonText.Length(text)) is { } at ? Character(run, text, at) : Missing(value, index);
                case SequenceValue sequence and not ViewValue:
                    return Place(place, sequence.Items.Length) is { } inside ? sequence.Items[inside] : Missing(value, index);
            }
        }

        return index is string name && value is not NamespaceValue ? Attribute(run, value, name) : Missing(value, index);
    }

    internal static object? Slice(Run run, object? value, object? start, object? stop, object? step)
    {
        var items = value switch
        {
            string text => PythonText.Characters(run, text),
            Undefined missing => throw run.Error(missing.Reason),
            SequenceValue sequence and not ViewValue => sequence.Items,
            _ => throw run.Error($"{PythonText.TypeName(value)} has no slices"),
        };
        var places = Places(run, items.Length, Bound(run, start), Bound(run, stop), Bound(run, step) ?? 1);
        run.Charge(places.Count);
        object?[] taken = [.. places.Select(place => items[place])];
        return value switch
        {
            string => string.Concat(taken),
            TupleValue => new TupleValue(taken),
            _ => new ListValue(taken),
        };
    }

    private static List<int> Places(Run run, int length, long? start, long? stop, long step)
    {
        if (step == 0)
            throw run.Error("the step of a slice is 0");
        long Clamp(long value, long low, long high) => Math.Clamp(value < 0 ? Math.Max(value, -length - 1L) + length : value, low, high);
        var (low, high) = step > 0 ? (0L, length) : (-1L, length - 1L);
        var first =
            start is { } given ? Clamp(given, low, high)
            : step > 0 ? low
            : high;
        var last =
            stop is { } end ? Clamp(end, low, high)
            : step > 0 ? high
            : low;
        List<int> places = [];
        step = Math.Clamp(step, -length - 1L, length + 1L);
        for (var place = first; step > 0 ? place < last : place > last; place += step)
            places.Add((int)place);
        return places;
    }

    private static long? Bound(Run run, object? value) =>
        value is null
            ? null
            : Arithmetic.Whole(value) ?? throw run.Error($"the bound of a slice is {PythonText.TypeName(value)}, expected an integer");

    private static int? Place(long place, int length) =>
        place >= 0
            ? place < length
                ? (int)place
                : null
            : place >= -length
                ? (int)(place + length)
                : null;

    private static string Character(Run run, string text, int place) =>
        PythonText.Length(text) == text.Length ? text[place].ToString() : PythonText.Characters(run, text)[place];

    private static Undefined Missing(object? value, object? name) =>
        new(
            value is NamespaceValue or DictValue or null or string
                ? $"'{PythonText.TypeName(value)}' object has no attribute '{name}'"
                : $"{PythonText.TypeName(value)} object has no element {name}"
        );
}
