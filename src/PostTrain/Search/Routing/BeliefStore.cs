namespace PostTrain.Search;

/// <summary>The beliefs of a reasoner, by name: written by the slow system, read by the fast one. Thread-safe.</summary>
public sealed class BeliefStore
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, string> beliefs = new(StringComparer.Ordinal);
    private long version;

    /// <summary>Number of writes so far.</summary>
    public long Version
    {
        get
        {
            lock (gate)
                return version;
        }
    }

    /// <summary>Writes a belief over an older one of the same name; an empty text removes it.</summary>
    /// <param name="name">Not empty.</param>
    /// <param name="text">The belief.</param>
    public void Write(string name, string text)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(text);
        lock (gate)
        {
            version++;
            if (text.Length == 0)
                beliefs.Remove(name);
            else
                beliefs[name] = text;
        }
    }

    /// <summary>A copy of all beliefs, in the order of their names.</summary>
    public IReadOnlyDictionary<string, string> Read()
    {
        lock (gate)
            return new SortedDictionary<string, string>(beliefs, StringComparer.Ordinal);
    }
}
