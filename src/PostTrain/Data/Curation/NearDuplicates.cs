using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>Texts of which each is compared with those before it that were not near duplicates themselves.</summary>
internal sealed class NearDuplicates
{
    private readonly MinHashOptions options;
    private readonly List<HashSet<ulong>> kept = [];
    private readonly Dictionary<(int Band, ulong Hash), List<int>> buckets = [];

    internal NearDuplicates(MinHashOptions options)
    {
        options.Check();
        this.options = options;
    }

    /// <summary>Returns the nearest kept text with its similarity where that is a near duplicate; else keeps the text and returns
    /// null.</summary>
    internal (int Index, double Similarity)? Add(string text)
    {
        var shingles = MinHash.Shingles(text, options.ShingleSize);
        var keys = Keys(MinHash.Signature(shingles, options));
        (int Index, double Similarity)? nearest = null;
        foreach (int candidate in keys.SelectMany(key => buckets.GetValueOrDefault(key) ?? []).Distinct().Order())
        {
            double similarity = MinHash.Jaccard(shingles, kept[candidate]);
            if (similarity >= options.Threshold && !(nearest?.Similarity >= similarity))
                nearest = (candidate, similarity);
        }
        if (nearest is not null)
            return nearest;
        foreach (var key in keys)
        {
            if (!buckets.TryGetValue(key, out var bucket))
                buckets[key] = bucket = [];
            bucket.Add(kept.Count);
        }
        kept.Add(shingles);
        return null;
    }

    private (int, ulong)[] Keys(ulong[] signature)
    {
        int rows = options.Hashes / options.Bands;
        return
        [
            .. Enumerable
                .Range(0, options.Bands)
                .Select(band =>
                    (band, signature.Skip(band * rows).Take(rows).Aggregate(0UL, (hash, value) => CounterRandom.Bits(hash, value)))
                ),
        ];
    }
}
