namespace PostTrain.Text.Chat.Jinja;

/// <summary>The read-only methods of dicts.</summary>
internal static class DictMethods
{
    internal static FunctionValue? Find(DictValue dict, string name) =>
        name switch
        {
            "get" => new FunctionValue(
                name,
                (run, arguments) =>
                {
                    var given = arguments.Bind(run, "get", "key", "default");
                    return dict.TryGet(given.Value(0), out var found) ? found : given.Value(1, null);
                }
            ),
            "keys" => Whole(name, () => new ViewValue("dict_keys", dict.Keys())),
            "values" => Whole(name, () => new ViewValue("dict_values", dict.Values())),
            "items" => Whole(name, () => new ViewValue("dict_items", dict.Items())),
            "copy" => Whole(name, () => dict),
            _ => null,
        };

    private static FunctionValue Whole(string name, Func<object?> body) =>
        new(
            name,
            (run, arguments) =>
            {
                arguments.Bind(run, name);
                return body();
            }
        );
}
