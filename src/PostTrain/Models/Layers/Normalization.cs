namespace PostTrain.Models;

/// <summary>The normalisation of the input of each layer and of the last hidden states.</summary>
public enum Normalization
{
    /// <summary>(x − mean) / √(variance + ε) · w + b.</summary>
    LayerNorm,

    /// <summary>x / √(mean(x²) + ε) · w; no bias.</summary>
    RmsNorm,

    /// <summary>x / √(mean(x²) + ε) · (1 + w); no bias. All in float32, as in Gemma.</summary>
    RmsNormOffset,
}
