namespace PostTrain.Text.Chat.Jinja;

// A value is null (None), bool, long, BigInteger (an integer of the input that is too long for long), double, string, or one of these
// types.

/// <summary>What a name, attribute or item that is not there gives; printing it gives nothing, using it is an error.</summary>
internal sealed class Undefined(string reason)
{
    internal string Reason => reason;

    internal static Undefined Name(string name) =>
        new(name == "strftime_now" ? "'strftime_now' is undefined: the rendering was given no time" : $"'{name}' is undefined");
}

/// <summary>Values in a row.</summary>
internal abstract class SequenceValue(object?[] items)
{
    internal object?[] Items => items;
}

internal sealed class ListValue(object?[] items) : SequenceValue(items);

internal sealed class TupleValue(object?[] items) : SequenceValue(items);

/// <summary>The keys, values or items of a dict: a length, but no places.</summary>
internal sealed class ViewValue(string kind, object?[] items) : SequenceValue(items)
{
    internal string Kind => kind;
}

internal sealed class RangeValue(long start, long stop, long step, object?[] items) : SequenceValue(items)
{
    internal string Text => step == 1 ? $"range({start}, {stop})" : $"range({start}, {stop}, {step})";
}

/// <summary>What map, select and the like give: values that are taken once, without a length.</summary>
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

/// <summary>What <c>namespace()</c> makes: the one thing whose attributes can be set.</summary>
internal sealed class NamespaceValue
{
    internal Dictionary<string, object?> Attributes { get; } = new(StringComparer.Ordinal);
}

/// <summary>Something that can be called: a macro, a method with its object, or a global function.</summary>
internal sealed class FunctionValue(string name, Func<Run, Arguments, object?> body)
{
    internal string Name => name;

    internal object? Call(Run run, Arguments arguments) => body(run, arguments);
}
