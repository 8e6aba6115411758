using MathNet.Numerics;
using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>Adaptive consistency: how sure a vote is after the samples so far (Aggarwal et al. 2023, arXiv:2305.11860).</summary>
public static class AdaptiveConsistency
{
    /// <summary>P(the leading answer is the more likely one | votes), of the two leading answers with a uniform prior:
    /// ∫_{1/2}^1 p^v (1−p)^w dp / B(v+1, w+1).</summary>
    /// <remarks>It equals 2^{−(v+w+1)} Σ_{k=0}^{v} C(v+w+1, k).</remarks>
    /// <param name="votes">v, of the leading answer, at least 0.</param>
    /// <param name="others">w, of the second, at least 0.</param>
    public static double Posterior(int votes, int others)
    {
        Guard.AtLeast(votes, 0, nameof(votes));
        Guard.AtLeast(others, 0, nameof(others));
        return SpecialFunctions.BetaRegularized(others + 1.0, votes + 1.0, 0.5);
    }
}
