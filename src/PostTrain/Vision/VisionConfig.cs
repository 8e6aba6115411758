using PostTrain.Models;
using PostTrain.Numerics;

namespace PostTrain.Vision;

/// <summary>The configuration of a <see cref="VisionEncoder"/>: CLIP's vision transformer, pre-norm layers over the patches of a square
/// picture.</summary>
public sealed record VisionConfig
{
    private const int MostPatchesInARow = 4096;

    /// <summary>Height and width of a picture in pixels, a multiple of <see cref="PatchSize"/>.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Height and width of a patch in pixels.</summary>
    public required int PatchSize { get; init; }

    /// <summary>Values of a pixel. Default 3.</summary>
    public int Channels { get; init; } = 3;

    /// <summary>Width of the hidden states.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Number of layers, at least 1.</summary>
    public required int Layers { get; init; }

    /// <summary>Number of attention heads; divides <see cref="HiddenSize"/>.</summary>
    public required int Heads { get; init; }

    /// <summary>Inner width of the feed-forward layers. 0, the default: 4 · <see cref="HiddenSize"/>.</summary>
    public int FeedForwardSize { get; init; }

    /// <summary>The nonlinearity of the feed-forward layers. Default <see cref="Activation.QuickGelu"/>.</summary>
    public Activation Activation { get; init; } = Activation.QuickGelu;

    /// <summary>ε of the layer norms. Default 1e-5.</summary>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>The hidden states that are the features, side by side: 0 is the input of the first layer, k the output of the k-th, −1 that
    /// of the last, −2 that of the one before it. Default −2, LLaVA's.</summary>
    public IReadOnlyList<int> FeatureLayers { get; init; } = [-2];

    /// <summary>True if the features begin with that of the class token. Default false, LLaVA's.</summary>
    public bool IncludesClassToken { get; init; }

    /// <summary>Patches of a picture.</summary>
    public int Patches => checked(ImageSize / PatchSize * (ImageSize / PatchSize));

    /// <summary>Feature vectors of a picture: its patches, and the class token where it is included.</summary>
    public int FeatureCount => Patches + (IncludesClassToken ? 1 : 0);

    /// <summary>Width of a feature vector.</summary>
    public int FeatureSize => HiddenSize * FeatureLayers.Count;

    internal VisionConfig Resolved()
    {
        Guard.AtLeast(PatchSize, 1, nameof(PatchSize));
        Guard.AtLeast(ImageSize, PatchSize, nameof(ImageSize));
        Guard.AtLeast(Channels, 1, nameof(Channels));
        Guard.AtLeast(HiddenSize, 1, nameof(HiddenSize));
        Guard.AtLeast(Layers, 1, nameof(Layers));
        Guard.AtLeast(Heads, 1, nameof(Heads));
        Guard.AtLeast(FeedForwardSize, 0, nameof(FeedForwardSize));
        Guard.Positive(NormEpsilon, nameof(NormEpsilon));
        if (ImageSize % PatchSize != 0)
            throw new ArgumentException($"ImageSize is {ImageSize}, expected a multiple of PatchSize, {PatchSize}.", nameof(ImageSize));
        if (ImageSize / PatchSize > MostPatchesInARow)
            throw new ArgumentException(
                $"ImageSize is {ImageSize} and PatchSize {PatchSize}, expected at most {MostPatchesInARow} patches in a row.",
                nameof(ImageSize)
            );
        if (HiddenSize % Heads != 0)
            throw new ArgumentException($"HiddenSize is {HiddenSize}, expected a multiple of Heads, {Heads}.", nameof(HiddenSize));
        if (FeatureLayers is not { Count: > 0 })
            throw new ArgumentException("FeatureLayers is empty, expected at least one hidden state.", nameof(FeatureLayers));
        foreach (int layer in FeatureLayers)
            if (layer < -Layers - 1 || layer > Layers)
                throw new ArgumentOutOfRangeException(
                    nameof(FeatureLayers),
                    layer,
                    $"FeatureLayers must hold numbers from {-Layers - 1} to {Layers}."
                );
        return FeedForwardSize == 0 ? this with { FeedForwardSize = checked(4 * HiddenSize) } : this;
    }
}
