namespace PostTrain.Text.Chat.Jinja;

// A value is null (None), bool, long, BigInteger (an integer of the input that exceeds long), double, string, or one of these types.

/// <summary>The value of a missing name, attribute or item. It prints nothing; using it is an error.</summary>
internal sealed class Undefined(string reason)
{
    internal string Reason => reason;

    internal static Undefined Name(string name) =>
        new(name == "strftime_now" ? "'strftime_now' is undefined: the rendering was given no time" : $"'{name}' is undefined");
}

/// <summary>A sequence of values.</summary>
internal abstract class SequenceValue(object?[] items)
{
    internal object?[] Items => items;
}

internal sealed class ListValue(object?[] items) : SequenceValue(items);

internal sealed class TupleValue(object?[] items) : SequenceValue(items);

/// <summary>The keys, values or items of a dict: has a length but cannot be indexed.</summary>
internal sealed class ViewValue(string kind, object?[] items) : SequenceValue(items)
{
    internal string Kind => kind;
}

internal sealed class RangeValue(long start, long stop, long step, object?[] items) : SequenceValue(items)
{
    internal string Text => step == 1 ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})";
}

/// <summary>The result of map, select and similar filters: can be iterated once and has no length.</summary>
internal sealed class GeneratorValue(object?[] items)
{
    private object?[] left = items;

    internal object?[] Take()
    {
        var taken = left;
        left = [];
        return taken;
    }

    internal bool TryTakeFirst(out object? first)
    {
        first = left.Length > 0 ? left[0] : null;
        var found = left.Length > 0;
        left = found ? left[1..] : left;
        return found;
    }
}

/// <summary>The result of <c>namespace()</c>, the only value whose attributes can be set.</summary>
internal sealed class NamespaceValue
{
    internal Dictionary<string, object?> Attributes { get; } = new(StringComparer.Ordinal);
}

/// <summary>A callable value: a macro, a method with its object, or a global function.</summary>
internal sealed class FunctionValue(string name, Func<Run, Arguments, object?> body)
{
    internal string Name => name;

    internal object? Call(Run run, Arguments arguments) => body(run, arguments);
}
