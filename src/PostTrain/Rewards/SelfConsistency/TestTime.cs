using PostTrain.Numerics;

namespace PostTrain.Rewards;

/// <summary>Closed forms for several samples of one problem: estimates from counts, and theoretical values.</summary>
public static class TestTime
{
    private const int MaximumSamples = 150;

    /// <summary>Computes pass@k from n samples of which c are correct: 1 − C(n−c, k)/C(n, k), unbiased (Chen et al. 2021, arXiv:2107.03374,
    /// eq. 1).</summary>
    /// <param name="samples">n, at least 1.</param>
    /// <param name="correct">c, 0 to n.</param>
    /// <param name="k">1 to n.</param>
    public static double PassAtK(int samples, int correct, int k)
    {
        Counts(samples, correct, k);
        if (samples - correct < k)
            return 1;
        var missing = 1.0;
        for (var i = samples - correct + 1; i <= samples; i++)
            missing *= 1 - (double)k / i;
        return 1 - missing;
    }

    /// <summary>Computes maj@k from n samples: over all choices of k of them, the mean of 1 if the correct answer has the most votes
    /// (shared among tied answers).</summary>
    /// <remarks>Exact, without sampling subsets. With k = n it is the vote itself.</remarks>
    /// <param name="counts">Number of samples with each answer, the correct one first; at most 150 samples in total.</param>
    /// <param name="k">1 to n.</param>
    public static double MajorityAtK(IReadOnlyList<int> counts, int k)
    {
        ArgumentNullException.ThrowIfNull(counts);
        if (counts.Count == 0 || counts.Any(count => count < 0))
            throw new ArgumentException(
                $"counts is [{string.Join(", ", counts)}], expected at least one answer and no negative count",
                nameof(counts)
            );
        var samples = counts.Sum();
        Samples(samples, nameof(counts));
        Counts(samples, counts[0], k);
        // C(c_j, i) ways to choose i samples of answer j.
        return Plurality([.. counts.Select(count => Enumerable.Range(0, k + 1).Select(i => Binomial(count, i)).ToArray())], k)
            / Binomial(samples, k);
    }

    /// <summary>Computes the probability that the correct answer wins a vote of n independent samples; ties are broken at random.</summary>
    /// <remarks>For two answers Σ_{k>n/2} C(n,k) p^k (1−p)^{n−k} + ½·P(tie). It grows with n if and only if the correct answer is the most
    /// likely one.</remarks>
    /// <param name="probabilities">Probability of each answer, the correct one first; they sum to 1.</param>
    /// <param name="samples">n, 1 to 150.</param>
    public static double MajorityAccuracy(IReadOnlyList<double> probabilities, int samples)
    {
        ArgumentNullException.ThrowIfNull(probabilities);
        if (probabilities.Count == 0 || probabilities.Any(p => !(p is >= 0 and <= 1)) || Math.Abs(probabilities.Sum() - 1) > 1e-9)
            throw new ArgumentException("probabilities must be between 0 and 1 with the sum 1", nameof(probabilities));
        Samples(samples, nameof(samples));
        // n! Π p_j^{i_j}/i_j!
        var ways = Plurality(
            [.. probabilities.Select(p => Enumerable.Range(0, samples + 1).Select(i => Math.Pow(p, i) / Factorial(i)).ToArray())],
            samples
        );
        return ways * Factorial(samples);
    }

    /// <summary>Computes the probability that one of n samples is correct, the accuracy of a perfect verifier: 1 − (1−p)^n.</summary>
    /// <param name="probability">p, 0 to 1.</param>
    /// <param name="samples">n, at least 1.</param>
    public static double BestOfNAccuracy(double probability, int samples)
    {
        Guard.Fraction(probability, nameof(probability));
        Guard.AtLeast(samples, 1, nameof(samples));
        return 1 - Math.Pow(1 - probability, samples);
    }

    /// <summary>Computes KL(best of n ‖ policy) = ln n − (n−1)/n for scores without ties, an upper bound otherwise.</summary>
    /// <param name="samples">n, at least 1.</param>
    public static double BestOfNKl(int samples)
    {
        Guard.AtLeast(samples, 1, nameof(samples));
        return Math.Log(samples) - (samples - 1.0) / samples;
    }

    /// <summary>Computes the probability that the best of n beats one more sample: n/(n+1).</summary>
    /// <param name="samples">n, at least 1.</param>
    public static double BestOfNWinRate(int samples)
    {
        Guard.AtLeast(samples, 1, nameof(samples));
        return samples / (samples + 1.0);
    }

    // Σ over all (i_0, i_1, ...) with sum n and no i_j above i_0 of Π_j ways[j][i_j] / (1 + number of i_j that equal i_0).
    private static double Plurality(double[][] ways, int n)
    {
        double total = 0;
        for (var most = 1; most <= n; most++)
        {
            if (ways[0][most] == 0)
                continue;
            // sums[left, ties]
            var sums = new double[n - most + 1, ways.Length];
            sums[0, 0] = ways[0][most];
            for (var j = 1; j < ways.Length; j++)
            {
                var next = new double[n - most + 1, ways.Length];
                for (var used = 0; used <= n - most; used++)
                {
                    for (var ties = 0; ties < j; ties++)
                    {
                        if (sums[used, ties] == 0)
                            continue;
                        for (var i = 0; i <= most && used + i <= n - most; i++)
                            next[used + i, ties + (i == most ? 1 : 0)] += sums[used, ties] * ways[j][i];
                    }
                }

                sums = next;
            }

            for (var ties = 0; ties < ways.Length; ties++)
                total += sums[n - most, ties] / (ties + 1);
        }

        return total;
    }

    private static double Binomial(int n, int k)
    {
        if (k > n)
            return 0;
        var result = 1.0;
        for (var i = 1; i <= k; i++)
            result = Math.Round(result * (n - k + i) / i);
        return result;
    }

    private static double Factorial(int n)
    {
        var product = 1.0;
        for (var i = 2; i <= n; i++)
            product *= i;
        return product;
    }

    private static void Counts(int samples, int correct, int k)
    {
        Guard.AtLeast(samples, 1, nameof(samples));
        if (correct < 0 || correct > samples)
            throw new ArgumentOutOfRangeException(
                nameof(correct),
                correct,
                $"correct must be between 0 and {samples}, the number of samples"
            );
        if (k < 1 || k > samples)
            throw new ArgumentOutOfRangeException(nameof(k), k, $"k must be between 1 and {samples}, the number of samples");
    }

    private static void Samples(int samples, string name)
    {
        if (samples is < 1 or > MaximumSamples)
            throw new ArgumentOutOfRangeException(name, samples, $"expected 1 to {MaximumSamples} samples");
    }
}
