using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>A rule that leaves out tokens or whole completions whose sampler is too far from the trainer: an estimate of
/// KL(π_sampler‖π_old), bounded.</summary>
/// <remarks>
/// With d = log π_sampler − log π_old of a token: k1 = d, k2 = d²/2, k3 = e^(−d) − 1 + d; d is clamped to ±20. Of a completion it is the
/// sum, the mean or the maximum over its counted tokens. Rejection sampling as in verl; of sequences with k1 and k3: arXiv:2602.01826.
/// <para>Metrics, after <see cref="Name"/>: the mean over tokens (no suffix), <c>_std</c> (of values clamped to the bounds), <c>_min</c>,
/// <c>_max</c>, <c>_above</c> and <c>_below</c> (share beyond the bounds, of tokens or of sequences), <c>_rejected</c> and
/// <c>_rejected_sequences</c>, and <c>_sequence</c> (mean over sequences of their mean) with the suffixes <c>_std</c>, <c>_min</c>,
/// <c>_max</c>, <c>_deviation</c> (largest absolute value), <c>_above</c>, <c>_below</c>.</para>
/// </remarks>
public sealed record RolloutRejection
{
    private RolloutRejection(KlEstimator estimator, RejectionLevel level, double least, double most)
    {
        if (!Enum.IsDefined(level))
            throw new ArgumentOutOfRangeException(nameof(level), level, "expected Token, SequenceSum, SequenceMean or SequenceMax");
        (Estimator, Level, Least, Most) = (estimator, level, least, most);
    }

    /// <summary>Estimator of each token's divergence: K1, K2 or K3.</summary>
    public KlEstimator Estimator { get; }

    /// <summary>Level of the rule: tokens or completions.</summary>
    public RejectionLevel Level { get; }

    /// <summary>The smallest statistic that is kept, in nats.</summary>
    public double Least { get; }

    /// <summary>The largest statistic that is kept, in nats.</summary>
    public double Most { get; }

    /// <summary>Name in metrics, such as <c>token_k1</c> or <c>sequence_mean_k3</c>.</summary>
    public string Name =>
        (
            Level switch
            {
                RejectionLevel.Token => "token",
                RejectionLevel.SequenceSum => "sequence_sum",
                RejectionLevel.SequenceMean => "sequence_mean",
                _ => "sequence_max",
            }
        )
        + (
            Estimator switch
            {
                KlEstimator.K1 => "_k1",
                KlEstimator.K2 => "_k2",
                _ => "_k3",
            }
        );

    /// <summary>Creates a rule on the ratio π_sampler/π_old: it keeps log(lower) ≤ k1 ≤ log(upper).</summary>
    /// <param name="level">The level that is judged: tokens or whole completions.</param>
    /// <param name="upper">The largest ratio; above 0.</param>
    /// <param name="lower">The smallest ratio, above 0 and at most <paramref name="upper"/>; null for 1/upper.</param>
    public static RolloutRejection K1(RejectionLevel level, double upper, double? lower = null)
    {
        Guard.Positive(upper, nameof(upper));
        double least = lower ?? 1 / upper;
        if (!(least > 0 && least <= upper))
            throw new ArgumentOutOfRangeException(nameof(lower), least, $"lower must be above 0 and at most upper, {upper}");
        return new RolloutRejection(KlEstimator.K1, level, Math.Log(least), Math.Log(upper));
    }

    /// <summary>Creates a rule that keeps k2 ≤ most.</summary>
    /// <param name="level">The level that is judged: tokens or whole completions.</param>
    /// <param name="most">In nats, above 0.</param>
    public static RolloutRejection K2(RejectionLevel level, double most)
    {
        Guard.Positive(most, nameof(most));
        return new RolloutRejection(KlEstimator.K2, level, 0, most);
    }

    /// <summary>Creates a rule that keeps k3 ≤ most.</summary>
    /// <param name="level">The level that is judged: tokens or whole completions.</param>
    /// <param name="most">In nats, above 0.</param>
    public static RolloutRejection K3(RejectionLevel level, double most)
    {
        Guard.Positive(most, nameof(most));
        return new RolloutRejection(KlEstimator.K3, level, 0, most);
    }

    /// <summary>Returns the tokens of <paramref name="kept"/> that the rule keeps too, in the caller's scope.</summary>
    internal Tensor Apply(Tensor kept, Tensor logProbs, Tensor samplerLogProbs, Tensor mask, CorrectionMetrics metrics)
    {
        var counted = mask != 0;
        var gap = KlDivergence.Bounded(Masked.Counted(samplerLogProbs - logProbs, counted));
        var tokens = KlDivergence.Estimate(gap, zeros_like(gap), Estimator);
        var statistic = Level switch
        {
            RejectionLevel.Token => tokens,
            RejectionLevel.SequenceSum => Spread(tokens.sum(1L), tokens),
            RejectionLevel.SequenceMean => Spread(Masked.Mean(tokens, counted, 1), tokens),
            _ => Spread(tokens.masked_fill(counted.logical_not(), double.NegativeInfinity).amax([1]), tokens),
        };
        statistic = Masked.Counted(statistic, counted);
        // A NaN is beyond every bound.
        var within = (statistic >= Least).logical_and(statistic <= Most);
        metrics.AddRejection(this, statistic, kept: within);
        return kept.masked_fill(within.logical_not(), 0);
    }

    private static Tensor Spread(Tensor sequences, Tensor tokens) => sequences.unsqueeze(1).expand_as(tokens);
}
