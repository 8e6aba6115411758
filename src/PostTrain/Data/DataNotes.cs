namespace PostTrain.Data;

/// <summary>Collector of findings about the examples of a data set, and of the examples that are left out.</summary>
/// <remarks>Each kind of finding becomes one <see cref="DataNote"/> with its count and its first example, however many examples it
/// concerns.</remarks>
public sealed class DataNotes
{
    private readonly List<(DataFinding Finding, string First)> order = [];
    private readonly Dictionary<string, int> counts = new(StringComparer.Ordinal);
    private readonly HashSet<int> dropped = [];

    /// <summary>Adds an example to a kind of finding.</summary>
    /// <param name="finding">The kind; those of one name are counted together.</param>
    /// <param name="example">Name of the example, and where it helps a part of it.</param>
    public void Add(DataFinding finding, string example)
    {
        ArgumentNullException.ThrowIfNull(finding);
        ArgumentException.ThrowIfNullOrEmpty(example);
        if (counts.TryAdd(finding.Name, 1))
            order.Add((finding, example));
        else
            counts[finding.Name]++;
    }

    /// <summary>Leaves an example out of batches.</summary>
    /// <param name="index">Index of the example in its data set.</param>
    public void Drop(int index) => dropped.Add(index);

    /// <summary>True if an example is left out.</summary>
    /// <param name="index">Index of the example in its data set.</param>
    public bool IsDropped(int index) => dropped.Contains(index);

    /// <summary>Returns the indices of the examples that are not left out.</summary>
    /// <param name="count">Number of examples.</param>
    internal int[] Kept(int count) => [.. Enumerable.Range(0, count).Where(index => !dropped.Contains(index))];

    /// <summary>Returns one note a kind, in the order in which the kinds were found.</summary>
    /// <param name="total">Number of examples of the data set.</param>
    public IReadOnlyList<DataNote> Of(int total) =>
        [
            .. order.Select(kind =>
            {
                int count = counts[kind.Finding.Name];
                return new DataNote(
                    kind.Finding.Name,
                    count,
                    $"{count} of {total} examples {kind.Finding.Text}; the first is {kind.First}.",
                    kind.Finding.Advice
                )
                {
                    IsHarmless = kind.Finding.IsHarmless,
                };
            }),
        ];
}
