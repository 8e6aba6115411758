namespace PostTrain.Compression.Quantization;

/// <summary>The rule for the scale and zero point of a group of numbers, with codes from 0 to 2^bits − 1 and ŵ = (code − zero) ·
/// scale.</summary>
public enum IntegerRange
{
    /// <summary>Scale max|w| / (2^(bits−1) − 1), zero point 2^(bits−1): whole steps on both sides of 0, |w − ŵ| at most half a step, 0 is
    /// exact.</summary>
    Absmax,

    /// <summary>GPTQ's symmetric quantiser: scale (max − min) / (2^bits − 1) of a range that is [−m, m], zero point 2^(bits−1). The largest
    /// positive number is clipped by half a step; a group without a negative number keeps [0, m] and loses half of the codes.</summary>
    Symmetric,

    /// <summary>GPTQ's asymmetric quantiser: scale (max − min) / (2^bits − 1) of a range that holds 0, zero point round(−min /
    /// scale).</summary>
    Asymmetric,

    /// <summary>AWQ's quantiser: as <see cref="Asymmetric"/>, but the range need not hold 0, and the zero point is clamped to the codes: a
    /// group on one side of 0 saturates.</summary>
    MinMax,
}
