using PostTrain.Adapters;

namespace PostTrain.Compression.Pruning;

/// <summary>The pruned layers of a model.</summary>
public sealed record PruningOptions
{
    /// <summary>The layers.</summary>
    /// <value>The default is every linear layer but the output projection.</value>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Layers excluded from <see cref="Targets"/>. Null: none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>The layers' inputs, for methods that ask for them. It stays the caller's.</summary>
    public Calibration? Calibration { get; init; }
}
