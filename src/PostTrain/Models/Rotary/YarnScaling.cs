namespace PostTrain.Models;

/// <summary>YaRN (Peng et al. 2023, arXiv:2309.00071): frequencies with many turns in the original length are kept, those with few are
/// divided by the factor, with a linear ramp between; scores grow with the square of the attention factor.</summary>
/// <param name="Factor">s, above 0.</param>
/// <param name="OriginalLength">L, in tokens.</param>
public sealed record YarnScaling(double Factor, int OriginalLength) : RotaryScaling
{
    /// <summary>Number of turns in L at and above which a frequency is kept. Default 32.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Number of turns in L at and below which a frequency is divided. Default 1.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>Factor of cosine and sine. Null, the default: 0.1 ln s + 1 (eq. 22), or 1 if s ≤ 1.</summary>
    public double? Attention { get; init; }

    /// <summary>True if the ends of the ramp are rounded to whole elements. Default true.</summary>
    public bool Truncate { get; init; } = true;

    internal override double AttentionFactor => Attention ?? Magnitude(Factor, 1);

    /// <summary>Computes 0.1 · weight · ln s + 1, or 1 if s ≤ 1.</summary>
    internal static double Magnitude(double factor, double weight) => factor <= 1 ? 1 : 0.1 * weight * Math.Log(factor) + 1;

    internal override double[] Frequencies(double theta, int size, long length)
    {
        // The (fractional) element whose frequency makes this number of turns in L.
        double Element(double turns) => size * Math.Log(OriginalLength / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));
        var (low, high) = (Element(BetaFast), Element(BetaSlow));
        if (Truncate)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, size - 1));
        // A base of at most 1 has no such element.
        if (!double.IsFinite(low) || !double.IsFinite(high) || high < low)
            (low, high) = (0, size - 1);
        // The reference's width for an empty ramp.
        if (low == high)
            high += 0.001;
        var frequencies = Plain(theta, size);
        for (var i = 0; i < frequencies.Length; i++)
        {
            var divided = Math.Clamp((i - low) / (high - low), 0, 1);
            frequencies[i] *= divided / Factor + (1 - divided);
        }

        return frequencies;
    }

    internal override void Validate()
    {
        Positive(Factor, nameof(Factor));
        Positive(BetaFast, nameof(BetaFast));
        Positive(BetaSlow, nameof(BetaSlow));
        if (Attention is { } factor)
            Positive(factor, nameof(Attention));
        Numerics.Guard.AtLeast(OriginalLength, 1, nameof(OriginalLength));
    }
}
