using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>The active adapters, shared by all sites of a model.</summary>
internal sealed class AdapterState
{
    public IReadOnlyList<string> Active { get; set; } = [];

    /// <summary>Number of open scopes that disable all adapters.</summary>
    public int Disabled { get; set; }

    /// <summary>True if the base's weights include the active adapters.</summary>
    public bool Merged { get; set; }

    /// <summary>The adapter of each row of the batch, or null.</summary>
    public RowAssignment? Rows { get; set; }

    public bool Acts => Disabled == 0 && !Merged;
}

/// <summary>The assignment of rows of a batch to adapters.</summary>
internal sealed class RowAssignment : IDisposable
{
    private readonly List<(string? Adapter, Tensor Rows)> groups = [];

    public RowAssignment(IReadOnlyList<string?> adapters)
    {
        Count = adapters.Count;
        var order = new List<long>();
        foreach (var group in adapters.Select((adapter, row) => (adapter, row: (long)row)).GroupBy(item => item.adapter))
        {
            var rows = group.Select(item => item.row).ToArray();
            order.AddRange(rows);
            groups.Add((group.Key, tensor(rows).DetachFromDisposeScope()));
        }

        var back = new long[Count];
        for (var i = 0; i < back.Length; i++)
            back[order[i]] = i;
        Back = tensor(back).DetachFromDisposeScope();
    }

    public int Count { get; }

    public IReadOnlyList<(string? Adapter, Tensor Rows)> Groups => groups;

    /// <summary>The position of each row in the grouped order.</summary>
    public Tensor Back { get; }

    public void Dispose()
    {
        Back.Dispose();
        foreach (var (_, rows) in groups)
            rows.Dispose();
    }
}
