namespace PostTrain.Text.Chat.Jinja;

/// <summary>The global functions of every template.</summary>
internal static class Globals
{
    internal static void AddTo(Scope scope, DateTime? now)
    {
        foreach (
            var function in new FunctionValue[]
            {
                new("raise_exception", Raise),
                new("range", Range),
                new("namespace", Namespace),
                new("dict", Dict),
                new("joiner", Joiner),
                new("cycler", Cycler),
            }
        )
            scope.Set(function.Name, function);
        if (now is { } time)
            scope.Set(
                "strftime_now",
                new FunctionValue(
                    "strftime_now",
                    (run, arguments) => TimeFormat.Write(run, time, arguments.Bind(run, "strftime_now", "format").Text(0))
                )
            );
    }

    private static object? Raise(Run run, Arguments arguments) =>
        throw run.Error(PythonRepresentation.Text(run, arguments.Bind(run, "raise_exception", "message").Value(0)));

    private static RangeValue Range(Run run, Arguments arguments)
    {
        var given = arguments.Bind(run, "range", "start", "stop", "step");
        var (start, stop, step) = given.Has(1) ? (given.Integer(0), given.Integer(1), given.Integer(2, 1)) : (0, given.Integer(0), 1);
        if (step == 0)
            throw run.Error("the step of a range is 0");
        var distance = step > 0 ? (Int128)stop - start : (Int128)start - stop;
        var size = distance <= 0 ? 0 : (distance - 1) / Int128.Abs(step) + 1;
        if (size > run.Limits.MaximumRange)
            throw run.Error($"a range of {size} numbers, expected at most {run.Limits.MaximumRange}");
        run.Charge((long)size);
        var items = new object?[(int)size];
        for (var place = 0; place < items.Length; place++)
            items[place] = start + (place * step);
        return new RangeValue(start, stop, step, items);
    }

    private static NamespaceValue Namespace(Run run, Arguments arguments)
    {
        var space = new NamespaceValue();
        foreach (var (key, value) in Dict(run, arguments).Entries)
            space.Attributes[key as string ?? throw run.Error("a namespace has names for keys")] = value;
        return space;
    }

    private static DictValue Dict(Run run, Arguments arguments)
    {
        var dict = new DictValue();
        if (arguments.Positional.Length > 1)
            throw run.Error($"dict takes at most 1 argument without a name, was given {arguments.Positional.Length}");
        if (arguments.Positional is [DictValue other])
        {
            foreach (var (key, value) in other.Entries)
                dict.Set(key, value);
        }
        else if (arguments.Positional is [var pairs])
        {
            foreach (var pair in Items.Of(run, pairs))
            {
                if (pair is not SequenceValue { Items: [var key, var value] } || !DictValue.CanBeKey(key))
                    throw run.Error("dict needs pairs of a key and a value");
                dict.Set(key, value);
            }
        }

        foreach (var (name, value) in arguments.Named)
            dict.Set(name, value);
        run.Charge(dict.Count);
        return dict;
    }

    // Returns nothing on the first call, its separator afterwards.
    private static FunctionValue Joiner(Run run, Arguments arguments)
    {
        var separator = arguments.Bind(run, "joiner", "sep").Text(0, ", ");
        var used = false;
        return new FunctionValue(
            "joiner",
            (_, _) =>
            {
                var text = used ? separator : "";
                used = true;
                return text;
            }
        );
    }

    private static NamespaceValue Cycler(Run run, Arguments arguments)
    {
        if (arguments.Positional.Length == 0)
            throw run.Error("cycler needs at least one argument");
        var (items, place) = (arguments.Positional, 0);
        var cycler = new NamespaceValue();
        void Move(int to)
        {
            place = to % items.Length;
            cycler.Attributes["current"] = items[place];
        }

        Move(0);
        cycler.Attributes["next"] = new FunctionValue(
            "next",
            (_, _) =>
            {
                var current = items[place];
                Move(place + 1);
                return current;
            }
        );
        cycler.Attributes["reset"] = new FunctionValue(
            "reset",
            (_, _) =>
            {
                Move(0);
                return null;
            }
        );
        return cycler;
    }
}
