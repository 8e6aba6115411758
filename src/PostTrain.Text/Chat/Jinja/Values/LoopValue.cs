namespace PostTrain.Text.Chat.Jinja;

/// <summary>The variable <c>loop</c> inside a for block.</summary>
internal sealed class LoopValue(object?[] items)
{
    private Arguments? lastSeen;

    internal int Index { get; set; }

    internal object? Attribute(string name) =>
        name switch
        {
            "index" => (long)Index + 1,
            "index0" => (long)Index,
            "revindex" => (long)items.Length - Index,
            "revindex0" => (long)items.Length - Index - 1,
            "first" => Index == 0,
            "last" => Index == items.Length - 1,
            "length" => (long)items.Length,
            "depth" => 1L,
            "depth0" => 0L,
            "previtem" => Index > 0 ? items[Index - 1] : new Undefined("there is no previous item"),
            "nextitem" => Index < items.Length - 1 ? items[Index + 1] : new Undefined("there is no next item"),
            "cycle" => new FunctionValue("cycle", Cycle),
            "changed" => new FunctionValue("changed", Changed),
            _ => new Undefined($"'loop' has no attribute '{name}'"),
        };

    private object? Cycle(Run run, Arguments arguments) =>
        arguments.Positional.Length > 0
            ? arguments.Positional[Index % arguments.Positional.Length]
            : throw run.Error("loop.cycle needs at least one argument");

    private object? Changed(Run run, Arguments arguments)
    {
        var same = lastSeen is { } last && Comparison.AreEqual(run, new TupleValue(last.Positional), new TupleValue(arguments.Positional));
        lastSeen = arguments;
        return !same;
    }
}
