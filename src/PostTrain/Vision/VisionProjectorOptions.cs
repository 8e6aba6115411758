using PostTrain.Models;

namespace PostTrain.Vision;

/// <summary>Sizes and nonlinearity of a <see cref="VisionProjector"/>.</summary>
public sealed record VisionProjectorOptions
{
    /// <summary>Width of the features (<see cref="VisionConfig.FeatureSize"/>).</summary>
    public required int Inputs { get; init; }

    /// <summary>Width of the language model's embeddings (<see cref="CausalLm.HiddenSize"/>).</summary>
    public required int Outputs { get; init; }

    /// <summary>The nonlinearity between the two layers. Default <see cref="Activation.Gelu"/>.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>True, the default, if both layers have a bias.</summary>
    public bool Bias { get; init; } = true;
}
