using PostTrain.Adapters;

namespace PostTrain.Compression.Quantization;

/// <summary>Which layers of a model are quantised.</summary>
public sealed record QuantizationOptions
{
    /// <summary>The layers.</summary>
    /// <value>The default is every linear layer but the output projection.</value>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Layers that are left out of <see cref="Targets"/>. Null: none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>The layers' inputs, for methods that ask for them. It stays the caller's.</summary>
    public Calibration? Calibration { get; init; }

    /// <summary>Whether token embeddings are quantised too; tied ones are the output projection as well. The quantiser gets no
    /// statistics for them.</summary>
    /// <value>The default is false.</value>
    public bool Embeddings { get; init; }
}
