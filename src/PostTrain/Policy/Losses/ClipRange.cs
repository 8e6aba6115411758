using PostTrain.Numerics;

namespace PostTrain.Policy.Losses;

/// <summary>The range of the probability ratio, [1 − Lower, 1 + Upper], beyond which the surrogate gives no further reward.</summary>
/// <param name="Lower">ε₋, between 0 and 1.</param>
/// <param name="Upper">ε₊, at least 0; larger than ε₋ in DAPO's "clip-higher" (arXiv:2503.14476, 0.28 against 0.2).</param>
public readonly record struct ClipRange(double Lower, double Upper)
{
    /// <summary>Clip range with the same ε on both sides, as in PPO.</summary>
    public static implicit operator ClipRange(double epsilon) => new(epsilon, epsilon);

    /// <inheritdoc cref="op_Implicit(double)"/>
    public static ClipRange FromDouble(double epsilon) => epsilon;

    internal void Check(string name)
    {
        Guard.Fraction(Lower, $"{name}.{nameof(Lower)}");
        Guard.NotNegative(Upper, $"{name}.{nameof(Upper)}");
    }
}
