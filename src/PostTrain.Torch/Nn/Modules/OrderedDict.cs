using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace TorchSharp.Utils;

/// <summary>A dictionary that remembers the order in which its keys came.</summary>
public class OrderedDict<TKey, TValue> : IEnumerable<(TKey, TValue)> where TKey : notnull
{
    private readonly List<(TKey Key, TValue Value)> entries = [];
    private readonly Dictionary<TKey, int> positions = [];

    public TValue this[TKey key]
    {
        get => entries[positions[key]].Value;
        set
        {
            if (positions.TryGetValue(key, out int position)) entries[position] = (key, value);
            else Add(key, value);
        }
    }

    public (TKey, TValue) this[int index]
    {
        get => entries[index];
        set
        {
            positions.Remove(entries[index].Key);
            positions.Add(value.Item1, index);
            entries[index] = value;
        }
    }

    public int Count => entries.Count;
    public bool IsReadOnly => false;
    public ICollection<TKey> Keys => [.. keys()];
    public ICollection<TValue> Values => [.. values()];

    public void Add(TKey key, TValue value)
    {
        positions.Add(key, entries.Count);
        entries.Add((key, value));
    }

    public void Add((TKey, TValue) item) => Add(item.Item1, item.Item2);

    public bool ContainsKey(TKey key) => positions.ContainsKey(key);

    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        bool found = positions.TryGetValue(key, out int position);
        value = found ? entries[position].Value : default;
        return found;
    }

    public bool Remove(TKey key)
    {
        if (!positions.TryGetValue(key, out int position)) return false;
        RemoveAt(position);
        return true;
    }

    public void RemoveAt(int index)
    {
        positions.Remove(entries[index].Key);
        entries.RemoveAt(index);
        for (int i = index; i < entries.Count; i++) positions[entries[i].Key] = i;
    }

    public void Insert(int index, (TKey, TValue) item)
    {
        positions.Add(item.Item1, index);
        entries.Insert(index, item);
        for (int i = index + 1; i < entries.Count; i++) positions[entries[i].Key] = i;
    }

    public void Clear()
    {
        entries.Clear();
        positions.Clear();
    }

    public void clear() => Clear();
    public IEnumerable<TKey> keys() => entries.Select(entry => entry.Key);
    public IEnumerable<TValue> values() => entries.Select(entry => entry.Value);
    public IEnumerator<(TKey, TValue)> items() => GetEnumerator();
    public IEnumerator<(TKey, TValue)> GetEnumerator() => entries.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
