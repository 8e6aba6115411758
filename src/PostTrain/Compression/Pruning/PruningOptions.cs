using PostTrain.Adapters;

namespace PostTrain.Compression.Pruning;

/// <summary>Which layers of a model are pruned.</summary>
public sealed record PruningOptions
{
    /// <summary>The layers.</summary>
    /// <value>The default is every linear layer but the output projection.</value>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Layers that are left out of <see cref="Targets"/>. Null: none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>The layers' inputs, for methods that ask for them. It stays the caller's.</summary>
    public Calibration? Calibration { get; init; }
}
