using System.Text.Json;

namespace PostTrain.Tests.Golden;

/// <summary>Named values of a golden case (its parameters, its inputs, an object inside them) that record which of them were
/// read.</summary>
internal sealed class GoldenFields(string place, JsonElement? json)
{
    private readonly HashSet<string> read = [];
    private readonly List<GoldenFields> inner = [];

    /// <summary>All names, those with null values included.</summary>
    internal IEnumerable<string> Names =>
        json is { ValueKind: JsonValueKind.Object } fields ? fields.EnumerateObject().Select(entry => entry.Name) : [];

    /// <summary>Fields that nobody has read, each with its place, those of inner objects included.</summary>
    internal IEnumerable<string> Unread =>
        [.. Names.Where(name => !read.Contains(name)).Select(name => $"{place}.{name}"), .. inner.SelectMany(part => part.Unread)];

    /// <summary>Whether a value is there. This reads a null, which says nothing else; any other value is still to be read.</summary>
    internal bool Has(string name)
    {
        if (Get(name) is not { } found)
            return false;
        if (found.ValueKind != JsonValueKind.Null)
            return true;
        read.Add(name);
        return false;
    }

    /// <summary>Reads a value; null where it is absent or null.</summary>
    internal JsonElement? Find(string name)
    {
        if (Get(name) is not { } found)
            return null;
        read.Add(name);
        return found.ValueKind == JsonValueKind.Null ? null : found;
    }

    /// <summary>Reads a value.</summary>
    internal JsonElement Value(string name) => Find(name) ?? throw new KeyNotFoundException($"{place} has no \"{name}\"");

    /// <summary>Reads a value if it is of a kind; null, and left unread, where it is of another.</summary>
    internal JsonElement? Find(string name, JsonValueKind kind) =>
        Get(name)?.ValueKind is { } own && (own == kind || own == JsonValueKind.Null) ? Find(name) : null;

    /// <summary>Opens a list of objects; each of their fields is to be read.</summary>
    internal GoldenFields[] Objects(string name)
    {
        GoldenFields[] rows = [.. Value(name).EnumerateArray().Select((row, i) => new GoldenFields($"{place}.{name}[{i}]", row))];
        inner.AddRange(rows);
        return rows;
    }

    /// <summary>Opens an object; each of its fields is to be read.</summary>
    internal GoldenFields Object(string name)
    {
        var fields = new GoldenFields($"{place}.{name}", Value(name));
        inner.Add(fields);
        return fields;
    }

    private JsonElement? Get(string name) =>
        json is { ValueKind: JsonValueKind.Object } fields && fields.TryGetProperty(name, out var found) ? found : null;
}
