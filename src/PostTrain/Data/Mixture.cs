using System.Collections;
using PostTrain.Numerics;

namespace PostTrain.Data;

/// <summary>Several data sets mixed in given shares, as one list that any trainer takes: a pure function of the sources, the weights, the
/// length and the seed.</summary>
/// <remarks>
/// The counts are exact: source i has the whole part of w_i·n / Σw, and what is left goes to the largest remainders, the earlier source
/// first. They are spread evenly over the list, so that every part of it has about the shares of the whole. A source gives its examples in
/// a new permutation each time it has been passed through (<see cref="ShuffledOrder"/>), so that after m whole passes each was given m
/// times. Examples are not copied.
/// </remarks>
/// <typeparam name="T">A record of the data sets.</typeparam>
public sealed class Mixture<T> : IReadOnlyList<T>
{
    private readonly IReadOnlyList<T>[] sources;
    private readonly (int Source, int Index)[] places;

    /// <param name="sources">The data sets, at least one, none of them empty.</param>
    /// <param name="weights">One a source, finite and at least 0, not all of them 0; null takes the sizes, so that each example is as
    /// likely as any other. See <see cref="MixtureWeights"/>.</param>
    /// <param name="seed">Seed of the orders.</param>
    /// <param name="count">Examples in the mixture, at least 1; null is the sum of the sizes.</param>
    /// <exception cref="ArgumentException">A source is empty or a weight unusable; names it.</exception>
    public Mixture(IReadOnlyList<IReadOnlyList<T>> sources, IReadOnlyList<double>? weights = null, ulong seed = 0, int? count = null)
    {
        ArgumentNullException.ThrowIfNull(sources);
        if (sources.Count == 0)
            throw new ArgumentException("sources is empty, expected at least one data set", nameof(sources));
        for (int i = 0; i < sources.Count; i++)
            if (sources[i] is not { Count: > 0 })
                throw new ArgumentException($"sources[{i}] holds no example, expected at least one", nameof(sources));
        this.sources = [.. sources];
        int length = count ?? checked(sources.Sum(source => source.Count));
        Guard.AtLeast(length, 1, nameof(count));
        Counts = MixtureWeights.Apportion(weights ?? [.. sources.Select(source => (double)source.Count)], sources.Count, length);
        places = Places(seed);
    }

    /// <summary>Examples of each source in the mixture.</summary>
    public IReadOnlyList<int> Counts { get; }

    /// <inheritdoc/>
    public int Count => places.Length;

    /// <inheritdoc/>
    public T this[int index] => sources[places[index].Source][places[index].Index];

    /// <summary>The source of the example at a place, and where it stands in it.</summary>
    public (int Source, int Index) Origin(int index) => places[index];

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => places.Select(place => sources[place.Source][place.Index]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // The j-th of a source's c examples belongs at (j + u)/c of the way, with u of the source's own.
    private (int, int)[] Places(ulong seed)
    {
        var keyed = new List<(double Key, int Source, int Index)>(Counts.Sum());
        for (int source = 0; source < sources.Length; source++)
        {
            var order = new ShuffledOrder(sources[source].Count, CounterRandom.Bits(seed, (ulong)source));
            double shift = CounterRandom.Uniform(seed, (ulong)source, 1);
            for (int j = 0; j < Counts[source]; j++)
                keyed.Add(((j + shift) / Counts[source], source, order[j]));
        }
        // A stable sort: the order must not depend on how ties are broken.
        return [.. keyed.OrderBy(place => place.Key).Select(place => (place.Source, place.Index))];
    }
}
