using PostTrain.Adapters;

namespace PostTrain.Compression.Quantization;

/// <summary>The layers that compute with quantised numbers in training.</summary>
public sealed record FakeQuantizationOptions
{
    /// <summary>The layers.</summary>
    /// <value>The default is every linear layer but the output projection.</value>
    public ModuleSelection? Targets { get; init; }

    /// <summary>Layers excluded from <see cref="Targets"/>. Null: none.</summary>
    public ModuleSelection? Exclude { get; init; }

    /// <summary>Bits of each token's inputs, 2 to 8; null leaves them as they are.</summary>
    /// <value>The default is null.</value>
    public int? InputBits { get; init; }
}
