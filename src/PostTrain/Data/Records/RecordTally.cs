namespace PostTrain.Data.Records;

/// <summary>Account of the reading of a data set: records, fields, what was left out and why.</summary>
internal sealed class RecordTally(IReadOnlyList<string> files)
{
    internal const int MostListed = 100;

    // Names come from the file: one with a name of its own for each record must not fill the memory.
    private const int MostFields = 1000;

    private readonly Dictionary<string, (int Records, bool IsRead)> fields = new(StringComparer.Ordinal);
    private readonly List<SkippedRecord> skipped = [];
    private readonly DataNotes notes = new();

    internal IReadOnlyList<string> Files { get; } = files;

    internal int Records { get; private set; }

    internal int SkippedCount { get; private set; }

    internal IReadOnlyList<SkippedRecord> Skipped => [.. skipped];

    internal IReadOnlyList<RecordField> Fields =>
        [.. fields.Select(each => new RecordField(each.Key, each.Value.Records, each.Value.IsRead))];

    internal void Read(JsonRecord record)
    {
        Records++;
        foreach (var (name, isRead) in record.Fields)
        {
            if (fields.TryGetValue(name, out var known))
                fields[name] = (known.Records + 1, known.IsRead || isRead);
            else if (fields.Count < MostFields)
                fields.Add(name, (1, isRead));
        }
        foreach (var finding in record.Findings)
            notes.Add(finding, record.Place);
    }

    internal void Skip(string place, string reason)
    {
        SkippedCount++;
        if (skipped.Count < MostListed)
            skipped.Add(new SkippedRecord(place, reason));
    }

    internal IReadOnlyList<DataNote> Notes(int examples)
    {
        var all = new List<DataNote>();
        if (SkippedCount > 0)
            all.Add(
                new DataNote(
                    "skipped-records",
                    SkippedCount,
                    $"{SkippedCount} of {Records} records were left out; the first is {skipped[0].Place}: {skipped[0].Reason}.",
                    "Mend them, or leave them out of the file if they are not meant for training."
                )
            );
        all.AddRange(notes.Of(Math.Max(Records, examples)));
        RecordField[] unread = [.. Fields.Where(field => !field.IsRead).OrderByDescending(field => field.Records)];
        if (unread.Length > 0)
            all.Add(
                new DataNote(
                    "unread-fields",
                    unread.Length,
                    $"{unread.Length} fields are never read: {string.Join(", ", unread.Take(12).Select(field => field.Name))}"
                        + (unread.Length > 12 ? ", …" : "")
                        + $" (in up to {unread[0].Records} of {Records} records).",
                    "If one of them is meant for training, rename it to a name that is read (docs/data.md lists them)."
                )
                {
                    IsHarmless = true,
                }
            );
        return all;
    }
}
