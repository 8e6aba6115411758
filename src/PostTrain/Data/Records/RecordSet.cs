using System.Collections;

namespace PostTrain.Data.Records;

/// <summary>Examples of a data set, with an account of what was read. Trainers take it as a list, and tell its notes with their first
/// step.</summary>
/// <typeparam name="T">A record such as <see cref="Demonstration"/> or <see cref="PreferencePair"/>.</typeparam>
public sealed class RecordSet<T> : IReadOnlyList<T>
{
    private readonly IReadOnlyList<T> examples;

    internal RecordSet(IReadOnlyList<T> examples, RecordTally tally)
    {
        this.examples = examples;
        (Files, Records, SkippedCount, Skipped) = (tally.Files, tally.Records, tally.SkippedCount, tally.Skipped);
        Fields = tally.Fields;
        Notes = tally.Notes(examples.Count);
    }

    /// <summary>Paths of the files, in the order in which they were read.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Number of records read, the skipped ones included.</summary>
    public int Records { get; }

    /// <summary>Names of the fields, each with the number of records that have it and whether any record's was used.</summary>
    public IReadOnlyList<RecordField> Fields { get; }

    /// <summary>Number of records that were left out.</summary>
    public int SkippedCount { get; }

    /// <summary>The first of the records that were left out, at most 100.</summary>
    public IReadOnlyList<SkippedRecord> Skipped { get; }

    /// <summary>Findings: skipped records, fields that no record's reading used, conversations that became several examples.</summary>
    public IReadOnlyList<DataNote> Notes { get; }

    /// <inheritdoc/>
    public int Count => examples.Count;

    /// <inheritdoc/>
    public T this[int index] => examples[index];

    /// <inheritdoc/>
    public IEnumerator<T> GetEnumerator() => examples.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
