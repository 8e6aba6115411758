using System.Collections;
using System.Runtime.CompilerServices;

namespace PostTrain.Models;

/// <summary>The attention of the layers: layer i has the spec i mod <see cref="Count"/>. One spec applies to all layers; two alternate.
/// Equal if the specs are equal, in order.</summary>
[CollectionBuilder(typeof(AttentionLayers), nameof(Create))]
public sealed class AttentionLayers : IReadOnlyList<AttentionSpec>, IEquatable<AttentionLayers>
{
    // Longer periods are not searched for: in a hostile list each would be compared to the end.
    private const int MaximumPeriod = 64;

    private readonly AttentionSpec[] specs;

    private AttentionLayers(AttentionSpec[] specs) => this.specs = specs;

    /// <summary>Number of specs, the period.</summary>
    public int Count => specs.Length;

    /// <summary>The attention of layer <paramref name="index"/>, at least 0.</summary>
    public AttentionSpec this[int index] => specs[index % specs.Length];

    /// <summary>Creates the layers' attention, beginning with layer 0.</summary>
    /// <exception cref="ArgumentException">There is no spec.</exception>
    public static AttentionLayers Create(ReadOnlySpan<AttentionSpec> specs) =>
        specs.IsEmpty
            ? throw new ArgumentException("There is no attention, expected that of at least one layer.", nameof(specs))
            : new AttentionLayers(specs.ToArray());

    /// <summary>Returns the same for a model of <paramref name="layers"/> layers with the fewest specs, if they repeat after at most
    /// 64.</summary>
    internal AttentionLayers Shortest(int layers)
    {
        var known = Math.Min(layers, Count);
        for (var period = 1; period < Math.Min(known, MaximumPeriod + 1); period++)
        {
            // Both sides repeat after Count · period layers.
            var compared = (int)Math.Min(layers, (long)Count * period);
            if (Enumerable.Range(0, compared).All(i => this[i] == this[i % period]))
                return new AttentionLayers(specs[..period]);
        }

        return new AttentionLayers(specs[..known]);
    }

    /// <summary>Applies a change to every layer's attention.</summary>
    internal AttentionLayers With(Func<AttentionSpec, AttentionSpec> change) => new(Array.ConvertAll(specs, spec => change(spec)));

    /// <inheritdoc/>
    public IEnumerator<AttentionSpec> GetEnumerator() => ((IEnumerable<AttentionSpec>)specs).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(AttentionLayers? other) => other is not null && specs.AsSpan().SequenceEqual(other.specs);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as AttentionLayers);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(specs.Length, specs[0]);

    /// <inheritdoc/>
    public override string ToString() => "[" + string.Join(", ", (object[])specs) + "]";
}
