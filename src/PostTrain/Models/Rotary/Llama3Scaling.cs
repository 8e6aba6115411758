namespace PostTrain.Models;

/// <summary>Llama 3.1's scaling: with r = L ω / 2π turns in the original length, a frequency with r ≥ high is kept, one with r ≤ low is
/// divided by the factor, and between the two the weight of the kept frequency is (r − low) / (high − low).</summary>
/// <param name="Factor">Above 0.</param>
/// <param name="LowFrequencyFactor">low, above 0; 1 in the published models.</param>
/// <param name="HighFrequencyFactor">high, above low; 4 in the published models.</param>
/// <param name="OriginalLength">L, in tokens; 8192 in the published models.</param>
public sealed record Llama3Scaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalLength) : RotaryScaling
{
    internal override double[] Frequencies(double theta, int size, long length) =>
        Array.ConvertAll(
            Plain(theta, size),
            frequency =>
            {
                var turns = OriginalLength * frequency / (2 * Math.PI);
                var kept = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
                return frequency * (kept + (1 - kept) / Factor);
            }
        );

    internal override void Validate()
    {
        Positive(Factor, nameof(Factor));
        Positive(LowFrequencyFactor, nameof(LowFrequencyFactor));
        if (!(HighFrequencyFactor > LowFrequencyFactor) || double.IsInfinity(HighFrequencyFactor))
            throw new ArgumentOutOfRangeException(
                nameof(HighFrequencyFactor),
                HighFrequencyFactor,
                $"HighFrequencyFactor must be finite and above LowFrequencyFactor, {LowFrequencyFactor}."
            );
        Numerics.Guard.AtLeast(OriginalLength, 1, nameof(OriginalLength));
    }
}
