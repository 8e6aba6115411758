using PostTrain.Numerics;
using PostTrain.RewardModeling.Losses;

namespace PostTrain.RewardModeling.Benchmarks;

/// <summary>Scores that process reward models without knowledge reach, in closed form.</summary>
public static class PrmScoreBaselines
{
    /// <summary>Counts of a model that gives every step the same verdict. Always right: F1 = 2R/(2R + W), F1_neg = 0, PRMScore =
    /// R/(2R + W). Always wrong: F1_neg = 2W/(2W + R), F1 = 0.</summary>
    /// <param name="verdict">True for right.</param>
    /// <param name="rightSteps">R, at least 0.</param>
    /// <param name="wrongSteps">W, at least 0.</param>
    public static StepConfusion Constant(bool verdict, long rightSteps, long wrongSteps)
    {
        Guard.AtLeast(rightSteps, 0, nameof(rightSteps));
        Guard.AtLeast(wrongSteps, 0, nameof(wrongSteps));
        return verdict ? new StepConfusion(rightSteps, wrongSteps, 0, 0) : new StepConfusion(0, 0, wrongSteps, rightSteps);
    }

    /// <summary>Computes the expected PRMScore of a model that judges each step right with probability p, whatever it says.</summary>
    /// <remarks>
    /// Of S = right steps judged right + wrong steps judged right, binomial with R + W and p, the first part is hypergeometric with mean
    /// S·R/(R + W), and F1 = 2·first/(S + R). So E[F1] = Σ_s P(S = s)·2sR/((R + W)(s + R)), and E[F1_neg] is the same with W for R and 1 −
    /// p
    /// for p. With R and W growing in proportion, ρ = R/(R + W), F1 tends to 2pρ/(p + ρ).
    /// </remarks>
    /// <param name="p">0 to 1.</param>
    /// <param name="rightSteps">R, at least 1.</param>
    /// <param name="wrongSteps">W, at least 1.</param>
    /// <param name="negativeWeight">As in <see cref="StepConfusion.PrmScore"/>.</param>
    public static double Random(double p, int rightSteps, int wrongSteps, double negativeWeight = 0.5)
    {
        Guard.Fraction(p, nameof(p));
        Guard.AtLeast(rightSteps, 1, nameof(rightSteps));
        Guard.AtLeast(wrongSteps, 1, nameof(wrongSteps));
        Guard.Fraction(negativeWeight, nameof(negativeWeight));
        return negativeWeight * ExpectedF1(1 - p, wrongSteps, rightSteps) + (1 - negativeWeight) * ExpectedF1(p, rightSteps, wrongSteps);
    }

    private static double ExpectedF1(double p, int own, int other)
    {
        int total = checked(own + other);
        // log C(n, s) by its recursion; the probabilities of 0 and 1 have their whole weight at one end.
        if (p is 0 or 1)
            return p == 0 ? 0 : 2.0 * own / (total + own);
        double sum = 0,
            logarithm = total * Math.Log(1 - p),
            odds = Math.Log(p) - Math.Log(1 - p);
        for (int s = 1; s <= total; s++)
        {
            logarithm += Math.Log((total - s + 1.0) / s) + odds;
            sum += Math.Exp(logarithm) * 2 * s * own / (total * (double)(s + own));
        }
        return sum;
    }
}
