using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>What rounds of refinement come to where each round repairs a wrong answer with probability a and spoils a right one with
/// probability b: p_{k+1} = p_k(1−b) + (1−p_k)a.</summary>
/// <remarks>
/// p_k = p* + (p_0 − p*)(1−a−b)^k with p* = a/(a+b). A first accuracy above p* falls: without a signal from outside b is not 0, and a model
/// that repairs less than it spoils makes its answers worse (Huang et al. 2023, arXiv:2310.01798). A sound verifier lets only wrong answers
/// be revised: b = 0, p* = 1, 1 − p_k = (1−p_0)(1−a)^k. The chain is exact for each single round, whatever the answers are like; over
/// several it supposes that a and b stay the same, while in fact the hard problems are left over and a falls.
/// </remarks>
public sealed record RefinementChain
{
    /// <param name="repair">a = P(wrong → right), 0 to 1.</param>
    /// <param name="spoil">b = P(right → wrong), 0 to 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A probability is none.</exception>
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

    /// <summary>p* = a/(a+b), the accuracy that rounds do not change; NaN where a = b = 0 and every accuracy is one.</summary>
    public double FixedPoint => Repair / (Repair + Spoil);

    /// <summary>1 − a − b, what the distance from p* is multiplied with in a round, −1 to 1; below 0 the accuracy jumps to the other side
    /// of p*.</summary>
    public double Contraction => 1 - Repair - Spoil;

    /// <summary>p_k, the accuracy after some rounds.</summary>
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

    /// <summary>Whether a round raises the accuracy: p_0 &lt; a/(a+b), that is (1−p_0)·a &gt; p_0·b.</summary>
    /// <param name="initial">p_0, 0 to 1.</param>
    public bool Helps(double initial)
    {
        Guard.Fraction(initial, nameof(initial));
        return (1 - initial) * Repair > initial * Spoil;
    }
}
