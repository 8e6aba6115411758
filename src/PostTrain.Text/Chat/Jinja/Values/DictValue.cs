using System.Numerics;

namespace PostTrain.Text.Chat.Jinja;

/// <summary>A dict with keys in insertion order; 1, 1.0 and True are one key, as in Python.</summary>
internal sealed class DictValue
{
    private static readonly object NoneKey = new();
    private readonly Dictionary<object, int> places = [];
    private readonly List<KeyValuePair<object?, object?>> entries = [];

    internal int Count => entries.Count;

    internal IReadOnlyList<KeyValuePair<object?, object?>> Entries => entries;

    internal static bool CanBeKey(object? value) => value is null or string or long or bool or double or BigInteger;

    internal void Set(object? key, object? value)
    {
        var normal = Normal(key);
        if (places.TryGetValue(normal, out var place))
        {
            entries[place] = new(entries[place].Key, value);
            return;
        }

        places[normal] = entries.Count;
        entries.Add(new(key, value));
    }

    internal bool TryGet(object? key, out object? value)
    {
        var found = CanBeKey(key) && places.TryGetValue(Normal(key), out var place) ? place : -1;
        value = found >= 0 ? entries[found].Value : null;
        return found >= 0;
    }

    internal object?[] Keys() => [.. entries.Select(entry => entry.Key)];

    internal object?[] Values() => [.. entries.Select(entry => entry.Value)];

    internal object?[] Items() => [.. entries.Select(entry => new TupleValue([entry.Key, entry.Value]))];

    private static object Normal(object? key) =>
        key switch
        {
            null => NoneKey,
            bool flag => flag ? 1L : 0L,
            double real when real == Math.Floor(real) && Math.Abs(real) < 1L << 53 => (long)real,
            _ => key,
        };
}
