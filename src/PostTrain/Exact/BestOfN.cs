using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>The exact accuracy of the best of n independent samples under an imperfect verifier; ties are broken at random.</summary>
/// <remarks>The best of n has a score of at most s with probability F(s)^n, where F is that of one sample. So class i wins with probability
/// F_i^n − F_{i−1}^n, and the winner is correct with the probability of its class.</remarks>
public static class BestOfN
{
    // Products of the same numbers in a different order differ in their last bits.
    private const double Tie = 1e-12;

    /// <summary>Computes the probability that the best of n samples is correct.</summary>
    /// <param name="classes">The classes that one sample can belong to; the probabilities sum to 1. Scores with a relative difference below
    /// 1e-12 are ties.</param>
    /// <param name="samples">n, at least 1.</param>
    /// <exception cref="ArgumentException">The classes are not a distribution.</exception>
    public static double Accuracy(IReadOnlyList<JudgedClass> classes, int samples)
    {
        Guard.AtLeast(samples, 1, nameof(samples));
        var merged = Merged(classes);
        double accuracy = 0,
            below = 0,
            reached = 0;
        for (int i = 0; i < merged.Count; i++)
        {
            below += merged[i].Probability;
            // The last one is exactly 1; the sum may differ in its last bits.
            double next = i == merged.Count - 1 ? 1 : Math.Pow(Math.Min(1, below), samples);
            accuracy += merged[i].Correct * (next - reached);
            reached = next;
        }
        return accuracy;
    }

    /// <summary>Computes the limit of <see cref="Accuracy"/> as n grows: the probability that a sample with the highest score is
    /// correct.</summary>
    /// <param name="classes">As in <see cref="Accuracy"/>.</param>
    /// <exception cref="ArgumentException">The classes are not a distribution.</exception>
    public static double Limit(IReadOnlyList<JudgedClass> classes) => Merged(classes)[^1].Correct;

    /// <summary>Returns the classes in ascending order of their scores, ties merged, without classes of probability 0.</summary>
    private static List<JudgedClass> Merged(IReadOnlyList<JudgedClass> classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        if (
            classes.Any(item => !double.IsFinite(item.Score) || !(item.Probability >= 0) || !(item.Correct is >= 0 and <= 1))
            || !(Math.Abs(classes.Sum(item => item.Probability) - 1) < 1e-9)
        )
            throw new ArgumentException(
                $"classes has probabilities with the sum {classes.Sum(item => item.Probability):R}, "
                    + "expected finite scores, probabilities that sum to 1, and correct shares between 0 and 1",
                nameof(classes)
            );
        var merged = new List<JudgedClass>();
        foreach (var item in classes.Where(item => item.Probability > 0).OrderBy(item => item.Score))
        {
            if (merged.Count > 0 && merged[^1] is var last && item.Score - last.Score <= Tie * Math.Abs(item.Score))
            {
                double probability = last.Probability + item.Probability;
                merged[^1] = new JudgedClass(
                    last.Score,
                    probability,
                    (last.Probability * last.Correct + item.Probability * item.Correct) / probability
                );
            }
            else
            {
                merged.Add(item);
            }
        }
        return merged;
    }
}
