using System.Text.Json.Nodes;
using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>Records in curation: each step returns a new set, and every record knows where it comes from and what it went
/// through.</summary>
/// <remarks>Steps keep the order of the records. What a step removes is in <see cref="Removed"/> with the reason.</remarks>
/// <typeparam name="T">The record's type.</typeparam>
public sealed class CurationSet<T>
    where T : class
{
    private const string Field = "provenance";
    private readonly Func<T, string> text;

    internal CurationSet(IReadOnlyList<CuratedRecord<T>> records, Func<T, string> text) => (Records, this.text) = (records, text);

    /// <summary>The records that are left, in their order.</summary>
    public IReadOnlyList<CuratedRecord<T>> Records { get; private init; }

    /// <summary>The records that steps removed, in the order of the steps.</summary>
    public IReadOnlyList<RemovedRecord<T>> Removed { get; private init; } = [];

    /// <summary>Counts of the steps.</summary>
    public IReadOnlyList<CurationStep> Steps { get; private init; } = [];

    /// <summary>The records without their provenance.</summary>
    public IReadOnlyList<T> Values => [.. Records.Select(record => record.Value)];

    /// <summary>Adds the records of another set behind these.</summary>
    public CurationSet<T> With(CurationSet<T> other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new CurationSet<T>([.. Records, .. other.Records], text)
        {
            Removed = [.. Removed, .. other.Removed],
            Steps = [.. Steps, .. other.Steps],
        };
    }

    /// <summary>Removes records that a function gives a reason against.</summary>
    /// <param name="name">Name of the step.</param>
    /// <param name="reason">Why a record goes; null where it stays.</param>
    public CurationSet<T> Without(string name, Func<T, string?> reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        return Step(name, record => (record.Value, reason(record.Value), null));
    }

    /// <summary>Changes records. The change is noted in their provenance.</summary>
    /// <param name="name">Name of the step.</param>
    /// <param name="change">The record in its place: the same object where nothing changes, null to remove it.</param>
    public CurationSet<T> Changed(string name, Func<T, T?> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        return Step(
            name,
            record =>
                change(record.Value) is not { } changed ? (record.Value, "no replacement", null)
                : ReferenceEquals(changed, record.Value) ? (changed, null, null)
                : (changed, null, $"was: {text(record.Value)}")
        );
    }

    /// <summary>Notes something in each record's provenance, such as a measured solve rate.</summary>
    /// <param name="name">Name of the step.</param>
    /// <param name="detail">Note of the step; null for none.</param>
    public CurationSet<T> Noted(string name, Func<T, string?> detail)
    {
        ArgumentNullException.ThrowIfNull(detail);
        return Step(name, record => (record.Value, null, detail(record.Value)));
    }

    /// <summary>Removes records whose text equals an earlier one's, up to the amount of white space.</summary>
    public CurationSet<T> WithoutDuplicates()
    {
        var first = new Dictionary<string, Provenance>(StringComparer.Ordinal);
        return Step(
            "exact duplicates",
            record =>
            {
                string key = string.Join(' ', text(record.Value).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
                return first.TryAdd(key, record.Provenance) ? (record.Value, null, null) : (record.Value, $"as {first[key]}", null);
            }
        );
    }

    /// <summary>Removes records that are nearly the same as an earlier one that stayed.</summary>
    /// <remarks>MinHash with banding finds candidates; whether one goes is decided by the Jaccard similarity of the shingles themselves, so
    /// that nothing goes by chance. A pair of similarity J is missed with probability (1 − J^r)^b, b bands of r hashes.</remarks>
    /// <param name="options">The defaults when null.</param>
    public CurationSet<T> WithoutNearDuplicates(MinHashOptions? options = null)
    {
        var search = new NearDuplicates(options ?? new MinHashOptions());
        var kept = new List<Provenance>();
        return Step(
            "near duplicates",
            record =>
            {
                if (search.Add(text(record.Value)) is { } near)
                    return (record.Value, $"{near.Similarity:F2} as {kept[near.Index]}", null);
                kept.Add(record.Provenance);
                return (record.Value, null, null);
            }
        );
    }

    /// <summary>Removes records that share an n-gram of words with a benchmark.</summary>
    /// <param name="benchmark">The benchmark's n-grams.</param>
    public CurationSet<T> WithoutContamination(NgramIndex benchmark)
    {
        ArgumentNullException.ThrowIfNull(benchmark);
        return Step(
            $"contamination ({benchmark.Size}-grams)",
            record =>
                benchmark.Find(text(record.Value)) is { } match
                    ? (record.Value, $"'{match.Ngram}' of text {match.TextIndex}", null)
                    : (record.Value, null, null)
        );
    }

    /// <summary>Removes records whose text has fewer or more words.</summary>
    /// <param name="least">Fewest words, at least 0.</param>
    /// <param name="most">Most words, at least <paramref name="least"/>.</param>
    public CurationSet<T> WithLength(int least, int most)
    {
        Guard.AtLeast(least, 0, nameof(least));
        Guard.AtLeast(most, least, nameof(most));
        return Without(
            $"length {least} to {most}",
            value =>
            {
                int words = text(value).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
                return words < least || words > most ? $"{words} words" : null;
            }
        );
    }

    /// <summary>Writes the records as JSON Lines, each with its provenance in the field <c>provenance</c>; a field of this name from an
    /// earlier curation is kept in it as <c>before</c>. The file appears whole or not at all.</summary>
    public void Save(string path) => JsonLines.Write(path, Records.Select(record => Json(record.Value, record.Provenance)));

    /// <summary>Writes the removed records in the same form.</summary>
    public void SaveRemoved(string path) => JsonLines.Write(path, Removed.Select(record => Json(record.Value, record.Provenance)));

    /// <summary>The text by which a record is compared and measured.</summary>
    internal string TextOf(T value) => text(value);

    private CurationSet<T> Step(string name, Func<CuratedRecord<T>, (T Value, string? Reason, string? Detail)> step)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var kept = new List<CuratedRecord<T>>(Records.Count);
        var removed = new List<RemovedRecord<T>>();
        int changed = 0;
        foreach (var record in Records)
        {
            var (value, reason, detail) = step(record);
            if (reason is not null)
                removed.Add(new RemovedRecord<T>(record.Value, record.Provenance.After(name, reason)));
            else
                kept.Add(new CuratedRecord<T>(value, record.Provenance.After(name, detail)));
            if (reason is null && !ReferenceEquals(value, record.Value))
                changed++;
        }
        return new CurationSet<T>(kept, text)
        {
            Removed = [.. Removed, .. removed],
            Steps = [.. Steps, new CurationStep(name, Records.Count, kept.Count, changed)],
        };
    }

    private static JsonObject Json(T value, Provenance provenance)
    {
        var json = JsonLines.ToObject(value);
        var own = JsonLines.ToObject(provenance);
        if (json[Field] is { } before)
        {
            json.Remove(Field);
            own["before"] = before;
        }
        json[Field] = own;
        return json;
    }
}
