using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Which adapters act now; all sites of a model share it.</summary>
internal sealed class AdapterState
{
    public IReadOnlyList<string> Active { get; set; } = [];

    /// <summary>Scopes that switch all adapters off.</summary>
    public int Disabled { get; set; }

    /// <summary>Whether the base's weights hold the active adapters.</summary>
    public bool Merged { get; set; }

    /// <summary>One adapter a row of the batch, or null.</summary>
    public RowAssignment? Rows { get; set; }

    public bool Acts => Disabled == 0 && !Merged;
}

/// <summary>Which rows of a batch go through which adapter.</summary>
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

    /// <summary>Where each row stands when the groups follow each other.</summary>
    public Tensor Back { get; }

    public void Dispose()
    {
        Back.Dispose();
        foreach (var (_, rows) in groups)
            rows.Dispose();
    }
}
