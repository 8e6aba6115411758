using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>The accuracy of repeated refinement, where each round corrects a wrong answer with probability a and corrupts a right one with
/// probability b: p_{k+1} = p_k(1−b) + (1−p_k)a.</summary>
/// <remarks>
/// p_k = p* + (p_0 − p*)(1−a−b)^k with p* = a/(a+b). A first accuracy above p* falls. Without an external signal b is not 0, and a model
/// that corrects less than it corrupts makes its answers worse (Huang et al. 2023, arXiv:2310.01798). A sound verifier admits only wrong
/// answers to revision: b = 0, p* = 1, 1 − p_k = (1−p_0)(1−a)^k. The chain is exact for a single round, whatever the answers. Over several
/// rounds it assumes constant a and b; in practice the hard problems remain and a falls.
/// </remarks>
public sealed record RefinementChain
{
    /// <param name="repair">a = P(wrong → right), 0 to 1.</param>
    /// <param name="spoil">b = P(right → wrong), 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is not in [0, 1].</exception>
    public RefinementChain(double repair, double spoil)
    {
        Guard.Fraction(repair, nameof(repair));
        Guard.Fraction(spoil, nameof(spoil));
        (Repair, Spoil) = (repair, spoil);
    }

    /// <summary>a = P(wrong → right).</summary>
    public double Repair { get; }

    /// <summary>b = P(right → wrong).</summary>
    public double Spoil { get; }

    /// <summary>p* = a/(a+b), the accuracy that a round does not change; NaN if a = b = 0, where every accuracy is a fixed point.</summary>
    public double FixedPoint => Repair / (Repair + Spoil);

    /// <summary>1 − a − b, the factor of the distance from p* in each round, −1 to 1. If negative, the accuracy alternates around
    /// p*.</summary>
    public double Contraction => 1 - Repair - Spoil;

    /// <summary>Computes p_k, the accuracy after k rounds.</summary>
    /// <param name="initial">p_0, 0 to 1.</param>
    /// <param name="rounds">k, at least 0.</param>
    public double Accuracy(double initial, int rounds)
    {
        Guard.Fraction(initial, nameof(initial));
        Guard.AtLeast(rounds, 0, nameof(rounds));
        if (Repair + Spoil == 0)
            return initial;
        return FixedPoint + (initial - FixedPoint) * Math.Pow(Contraction, rounds);
    }

    /// <summary>Returns true if a round raises the accuracy: p_0 &lt; a/(a+b), that is (1−p_0)·a &gt; p_0·b.</summary>
    /// <param name="initial">p_0, 0 to 1.</param>
    public bool Helps(double initial)
    {
        Guard.Fraction(initial, nameof(initial));
        return (1 - initial) * Repair > initial * Spoil;
    }
}
