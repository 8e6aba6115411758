using PostTrain.Numerics;

namespace PostTrain.Search;

/// <summary>UCB1 for bandits (Auer, Cesa-Bianchi and Fischer 2002): each arm once, then the one with the highest mean + R √(2 ln t /
/// n).</summary>
/// <remarks>With the policies of a finite Markov decision process as arms, and a run of the policy as a reward, <see cref="Estimate"/> is
/// the estimate of the optimal value whose error is O(ln n / n) (Chang 2025, arXiv:2402.07063). There are |A|^(|S| H) policies: it is for
/// small processes, or for a few fixed strategies.</remarks>
public sealed class Ucb1
{
    private readonly double range;
    private readonly long[] pulls;
    private readonly double[] sums;
    private long total;

    /// <param name="arms">At least 1.</param>
    /// <param name="range">R: rewards are from some r to r + R. Above 0; 1 by default.</param>
    public Ucb1(int arms, double range = 1)
    {
        Guard.AtLeast(arms, 1, nameof(arms));
        Guard.Positive(range, nameof(range));
        (this.range, pulls, sums) = (range, new long[arms], new double[arms]);
    }

    /// <summary>Rewards so far of each arm.</summary>
    public IReadOnlyList<long> Pulls => pulls;

    /// <summary>Mean of all rewards so far: V̂_n; NaN before the first.</summary>
    public double Estimate => total == 0 ? double.NaN : sums.Sum() / total;

    /// <summary>The arm that was pulled most, the first among equals.</summary>
    public int MostPulled => Array.IndexOf(pulls, pulls.Max());

    /// <summary>The arm to pull next, the first among equals.</summary>
    public int Next()
    {
        var best = 0;
        var highest = double.NegativeInfinity;
        var width = 2 * Math.Log(Math.Max(1, total));
        for (var arm = 0; arm < pulls.Length; arm++)
        {
            if (pulls[arm] == 0)
                return arm;
            var index = sums[arm] / pulls[arm] + range * Math.Sqrt(width / pulls[arm]);
            if (index > highest)
                (best, highest) = (arm, index);
        }

        return best;
    }

    /// <summary>Tells of a reward.</summary>
    /// <param name="arm">The arm that gave it.</param>
    /// <param name="reward">Finite.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such arm, or the reward is not finite.</exception>
    public void Observe(int arm, double reward)
    {
        if (arm < 0 || arm >= pulls.Length)
            throw new ArgumentOutOfRangeException(nameof(arm), arm, $"arm must be between 0 and {pulls.Length - 1}");
        if (!double.IsFinite(reward))
            throw new ArgumentOutOfRangeException(nameof(reward), reward, "reward must be finite");
        pulls[arm]++;
        sums[arm] += reward;
        total++;
    }

    /// <summary>Auer's bound on the expected regret after n rewards: Σ_{Δ>0} 8 R² ln n / Δ + (1 + π²/3) Σ Δ.</summary>
    /// <param name="gaps">Δ of each arm, the best mean less its own, at least 0.</param>
    /// <param name="pulls">n, at least 1.</param>
    /// <param name="range">R.</param>
    public static double RegretBound(IReadOnlyList<double> gaps, long pulls, double range = 1)
    {
        ArgumentNullException.ThrowIfNull(gaps);
        Guard.AtLeast(pulls, 1, nameof(pulls));
        Guard.Positive(range, nameof(range));
        foreach (var gap in gaps)
            Guard.NotNegative(gap, nameof(gaps));
        return gaps.Where(gap => gap > 0).Sum(gap => 8 * range * range * Math.Log(pulls) / gap + (1 + Math.PI * Math.PI / 3) * gap);
    }
}
