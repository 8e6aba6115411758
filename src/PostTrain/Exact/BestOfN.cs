using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>How often the best of n independent samples is right where a verifier that errs chooses, ties decided by lot: exactly, without
/// sampling.</summary>
/// <remarks>The best of n has a score of at most s with probability F(s)^n, where F is that of one sample. So class i wins with probability
/// F_i^n − F_{i−1}^n, and what wins is right as often as its class is.</remarks>
public static class BestOfN
{
    // Products of the same numbers in another order differ in their last bits.
    private const double Tie = 1e-12;

    /// <summary>P(right) of the best of n.</summary>
    /// <param name="classes">What one sample can be; the probabilities sum to 1. Scores that differ by less than 1e-12 of their size are a
    /// tie.</param>
    /// <param name="samples">n, at least 1.</param>
    /// <exception cref="ArgumentException">The classes are no distribution.</exception>
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
            // The last is 1, whatever the sum's last bits are.
            double next = i == merged.Count - 1 ? 1 : Math.Pow(Math.Min(1, below), samples);
            accuracy += merged[i].Correct * (next - reached);
            reached = next;
        }
        return accuracy;
    }

    /// <summary>What <see cref="Accuracy"/> tends to as n grows: how often the samples with the highest score are right.</summary>
    /// <param name="classes">As in <see cref="Accuracy"/>.</param>
    /// <exception cref="ArgumentException">The classes are no distribution.</exception>
    public static double Limit(IReadOnlyList<JudgedClass> classes) => Merged(classes)[^1].Correct;

    /// <summary>The classes in ascending order of their scores, ties as one; none that never occurs.</summary>
    private static List<JudgedClass> Merged(IReadOnlyList<JudgedClass> classes)
    {
        ArgumentNullException.ThrowIfNull(classes);
        if (
            classes.Any(item => !double.IsFinite(item.Score) || !(item.Probability >= 0) || !(item.Correct is >= 0 and <= 1))
            || !(Math.Abs(classes.Sum(item => item.Probability) - 1) < 1e-9)
        )
            throw new ArgumentException(
                $"classes has probabilities with the sum {classes.Sum(item => item.Probability):R}, expected finite scores, probabilities that sum to 1, and shares of right ones between 0 and 1",
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
