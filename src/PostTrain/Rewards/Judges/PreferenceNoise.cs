using PostTrain.Numerics;

namespace PostTrain.Rewards.Judges;

/// <summary>The effect of wrong labels on a reward model fitted to them.</summary>
public static class PreferenceNoise
{
    /// <summary>Computes P_ε = (1−ε)·σ(d) + ε·(1 − σ(d)), the probability that the better answer is labelled as better if labels are
    /// flipped with probability ε.</summary>
    /// <param name="margin">d, the true difference of rewards.</param>
    /// <param name="flipped">ε, 0 to 1.</param>
    public static double LabelProbability(double margin, double flipped)
    {
        Guard.Fraction(flipped, nameof(flipped));
        var better = 1 / (1 + Math.Exp(-margin));
        return (1 - flipped) * better + flipped * (1 - better);
    }

    /// <summary>Computes log(P_ε/(1 − P_ε)), the margin that Bradley-Terry fits to such labels. It has the sign of d if and only if ε &lt;
    /// ½.</summary>
    /// <param name="margin">d.</param>
    /// <param name="flipped">ε, 0 to 1.</param>
    public static double FittedMargin(double margin, double flipped)
    {
        // 1 - P_ε is P_ε of the reverse order; subtracting from 1 would lose all digits of a large margin.
        return Math.Log(LabelProbability(margin, flipped) / LabelProbability(-margin, flipped));
    }
}
