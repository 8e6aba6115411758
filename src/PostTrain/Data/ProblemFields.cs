using System.Text.Json;

namespace PostTrain.Data;

/// <summary>Named values that a problem carries besides prompt and answer: tests, units, metadata. Immutable and equal by value.</summary>
/// <remarks>Values are JSON: <see cref="JsonLines"/> and <see cref="Records.RecordReader"/> fill them with the fields of a line, and
/// rewards read them from <c>completion.Problem.Fields</c>. Names are compared exactly; numbers are equal by value.</remarks>
public sealed class ProblemFields : IEquatable<ProblemFields>
{
    private readonly Dictionary<string, JsonElement> values;

    internal ProblemFields(Dictionary<string, JsonElement> values) => this.values = values;

    /// <summary>No fields.</summary>
    public static ProblemFields Empty { get; } = new([]);

    /// <summary>Makes fields of values that can be written as JSON: texts, numbers, truth values, lists, records.</summary>
    /// <param name="fields">Names, each once, and values.</param>
    /// <exception cref="ArgumentException">A name is empty or given twice.</exception>
    public static ProblemFields Of(params (string Name, object? Value)[] fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        var values = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var (name, value) in fields)
        {
            ArgumentException.ThrowIfNullOrEmpty(name, nameof(fields));
            if (!values.TryAdd(name, JsonSerializer.SerializeToElement(value)))
                throw new ArgumentException($"fields holds '{name}' twice, expected each name once", nameof(fields));
        }
        return new ProblemFields(values);
    }

    /// <summary>Values by name.</summary>
    public IReadOnlyDictionary<string, JsonElement> Values => values;

    /// <summary>Values by name, shared: for the serializer.</summary>
    internal Dictionary<string, JsonElement> Shared => values;

    /// <summary>Returns the value of a name.</summary>
    /// <exception cref="KeyNotFoundException">There is no such field; the message lists those that there are.</exception>
    public JsonElement this[string name] =>
        values.TryGetValue(name, out var value)
            ? value
            : throw new KeyNotFoundException(
                $"the problem has no field '{name}', expected one of: {(values.Count == 0 ? "none" : string.Join(", ", values.Keys))}"
            );

    /// <summary>Returns a text, or another value as JSON; null where there is no such field or it is null.</summary>
    public string? Text(string name) =>
        values.TryGetValue(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value.ToString() : null;

    /// <summary>True where both have the same names with equal values.</summary>
    public bool Equals(ProblemFields? other) =>
        ReferenceEquals(this, other)
        || (
            other is not null
            && values.Count == other.values.Count
            && values.All(field => other.values.TryGetValue(field.Key, out var value) && JsonElement.DeepEquals(field.Value, value))
        );

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ProblemFields);

    /// <inheritdoc/>
    // Equal values can be written differently (1 and 1.0), so only names are hashed, in any order.
    public override int GetHashCode() =>
        values.Keys.Aggregate(values.Count, (hash, name) => hash ^ name.GetHashCode(StringComparison.Ordinal));

    /// <summary>Names and values as JSON.</summary>
    public override string ToString() => $"{{{string.Join(", ", values.Select(field => $"{field.Key}: {field.Value}"))}}}";
}
