using PostTrain.Numerics;

namespace PostTrain.Rewards.Judges;

/// <summary>What wrong labels do to a reward model that is fitted to them.</summary>
public static class PreferenceNoise
{
    /// <summary>P_ε = (1−ε)·σ(d) + ε·(1 − σ(d)): how often the better answer is labelled so, where a label is flipped with probability
    /// ε.</summary>
    /// <param name="margin">d, the true difference of rewards.</param>
    /// <param name="flipped">ε, 0 to 1.</param>
    public static double LabelProbability(double margin, double flipped)
    {
        Guard.Fraction(flipped, nameof(flipped));
        var better = 1 / (1 + Math.Exp(-margin));
        return (1 - flipped) * better + flipped * (1 - better);
    }

    /// <summary>log(P_ε/(1 − P_ε)): the margin that Bradley-Terry finds with such labels. Its sign is that of d exactly if ε &lt;
    /// ½.</summary>
    /// <param name="margin">d.</param>
    /// <param name="flipped">ε, 0 to 1.</param>
    public static double FittedMargin(double margin, double flipped)
    {
        // 1 - P_ε is P_ε of the other order; subtracting from 1 would lose all digits of a large margin.
        return Math.Log(LabelProbability(margin, flipped) / LabelProbability(-margin, flipped));
    }
}
