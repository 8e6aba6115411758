namespace PostTrain.Text.Chat.Jinja;

/// <summary>The names set in a loop iteration, macro or block, nested in the enclosing scope.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, object?> names = new(StringComparer.Ordinal);

    internal void Set(string name, object? value) => names[name] = value;

    internal bool TryGet(string name, out object? value)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope.names.TryGetValue(name, out value))
                return true;
        }

        value = null;
        return false;
    }

    private Scope? Outer => outer;
}
