namespace PostTrain.Text.Chat.Jinja;

/// <summary>The arguments of a call.</summary>
internal sealed record Arguments(object?[] Positional, IReadOnlyList<(string Name, object? Value)> Named)
{
    internal static Arguments None { get; } = new([], []);

    internal static Arguments Of(params object?[] positional) => new(positional, []);

    /// <summary>Binds the arguments to parameters with these names, in this order.</summary>
    internal Bound Bind(Run run, string function, params string[] names)
    {
        if (Positional.Length > names.Length)
            throw run.Error($"{function} takes at most {names.Length} arguments, was given {Positional.Length}");
        var values = new object?[names.Length];
        Array.Fill(values, Bound.Absent);
        Positional.CopyTo(values, 0);
        foreach (var (name, value) in Named)
        {
            var place = Array.IndexOf(names, name);
            if (place < 0)
                throw run.Error($"{function} has no argument '{name}', expected {(names.Length == 0 ? "none" : string.Join(", ", names))}");
            if (!ReferenceEquals(values[place], Bound.Absent))
                throw run.Error($"{function} was given the argument '{name}' twice");
            values[place] = value;
        }

        return new Bound(run, function, names, values);
    }

    /// <summary>Returns the arguments after the first ones.</summary>
    internal Arguments After(int count) => new(Positional[count..], Named);
}

/// <summary>Arguments in the order of a function's parameters.</summary>
internal readonly struct Bound(Run run, string function, string[] names, object?[] values)
{
    internal static object Absent { get; } = new();

    internal bool Has(int place) => !ReferenceEquals(values[place], Absent);

    internal object? Value(int place) => Has(place) ? values[place] : throw run.Error($"{function} needs the argument '{names[place]}'");

    internal object? Value(int place, object? fallback) => Has(place) ? values[place] : fallback;

    internal string Text(int place) => Value(place) as string ?? throw Wrong(place, "a string");

    internal string Text(int place, string fallback) => Has(place) ? Text(place) : fallback;

    /// <summary>Returns a string; null if the argument is missing or None.</summary>
    internal string? OptionalText(int place) => Value(place, null) is null ? null : Text(place);

    internal long Integer(int place) =>
        Value(place) switch
        {
            long whole => whole,
            bool flag => flag ? 1 : 0,
            _ => throw Wrong(place, "an integer"),
        };

    internal long Integer(int place, long fallback) => Has(place) ? Integer(place) : fallback;

    /// <summary>Returns an integer; null if the argument is missing or None.</summary>
    internal long? OptionalInteger(int place) => Value(place, null) is null ? null : Integer(place);

    internal bool Flag(int place, bool fallback) => Has(place) ? Comparison.IsTrue(run, values[place]) : fallback;

    private TemplateException Wrong(int place, string expected) =>
        run.Error($"the argument '{names[place]}' of {function} is {PythonText.TypeName(values[place])}, expected {expected}");
}
