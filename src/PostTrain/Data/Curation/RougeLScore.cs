using PostTrain.Numerics;

namespace PostTrain.Data.Curation;

/// <summary>What a candidate has in common with a reference, by the longest common subsequence of their words.</summary>
/// <param name="Common">Words of the longest common subsequence.</param>
/// <param name="Candidate">Words of the candidate.</param>
/// <param name="Reference">Words of the reference.</param>
internal readonly record struct RougeLScore(int Common, int Candidate, int Reference)
{
    /// <summary>P = common / candidate, 0 to 1; 0 for an empty candidate.</summary>
    public double Precision => Candidate == 0 ? 0 : (double)Common / Candidate;

    /// <summary>R = common / reference, 0 to 1; 0 for an empty reference.</summary>
    public double Recall => Reference == 0 ? 0 : (double)Common / Reference;

    /// <summary>2PR/(P + R), 0 to 1: symmetric in the two texts. 0 where either is empty.</summary>
    public double F1 => Candidate + Reference == 0 ? 0 : 2.0 * Common / (Candidate + Reference);

    /// <summary>F_β = (1 + β²)PR/(R + β²P), 0 to 1 (Lin 2004, eq. 4); 0 where nothing is common.</summary>
    /// <param name="beta">β above 0: how many times as important recall is. 1 gives <see cref="F1"/>.</param>
    public double F(double beta)
    {
        Guard.Positive(beta, nameof(beta));
        double square = beta * beta;
        // PR/(R + β²P) with P = c/n and R = c/m is c/(n + β²m).
        return Common == 0 ? 0 : (1 + square) * Common / (Candidate + square * Reference);
    }
}
