using PostTrain.Adapters;
using PostTrain.Numerics;

namespace PostTrain.Compression;

/// <summary>Which inputs of a model's linear layers calibration sums up.</summary>
public sealed record CalibrationOptions
{
    /// <summary>The layers.</summary>
    /// <value>The default is every linear layer but the output projection.</value>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Layers that are left out of <see cref="Targets"/>. Null: none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>Whether Σ x xᵀ is kept, in² numbers a layer: GPTQ, AWQ, SparseGPT and activation-aware decompositions need it; SmoothQuant
    /// and Wanda do not.</summary>
    /// <value>The default is true.</value>
    public bool Gram { get; init; } = true;

    /// <summary>Most inputs of a layer that are kept as they are, for AWQ's clipping.</summary>
    /// <value>The default is 0.</value>
    public int Samples { get; init; }

    internal void Validate() => Guard.AtLeast(Samples, 0, nameof(Samples));
}
