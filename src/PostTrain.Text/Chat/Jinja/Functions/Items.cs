namespace PostTrain.Text.Chat.Jinja;

/// <summary>The items of an iterable value and their number.</summary>
internal static class Items
{
    internal static object?[] Of(Run run, object? value)
    {
        var items = value switch
        {
            SequenceValue sequence => sequence.Items,
            GeneratorValue generator => generator.Take(),
            DictValue dict => dict.Keys(),
            string text => PythonText.Characters(run, text),
            Undefined => [],
            _ => throw run.Error($"{PythonText.TypeName(value)} is not iterable"),
        };
        run.Charge(items.Length);
        return items;
    }

    internal static bool AreIn(object? value) => value is SequenceValue or GeneratorValue or DictValue or string or Undefined;

    internal static long Count(Run run, object? value) =>
        value switch
        {
            SequenceValue sequence => sequence.Items.Length,
            DictValue dict => dict.Count,
            string text => PythonText.Length(text),
            Undefined => 0,
            _ => throw run.Error($"{PythonText.TypeName(value)} has no length"),
        };
}
