using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Correction for a sampler whose probabilities differ from the trainer's: bounded weights w = π_old/π_sampler, and rules that
/// reject tokens or completions.</summary>
/// <remarks>
/// Truncated (TIS: min(w, C), Yao et al. 2025), masked (MIS: 0 outside the bounds), or masked on both sides (IcePop, Ring-1T,
/// arXiv:2510.18855); of each token or of whole sequences (Π_t w_t). Unbounded weights of whole sequences make the expected gradient exact;
/// bounds trade bias for variance. Rejection: see <see cref="RolloutRejection"/>. log w is clamped to ±20
/// (<see cref="KlDivergence.RatioBound"/>). Conventions as in verl.
/// </remarks>
/// <param name="Upper">C, the maximum weight; above 0, infinite for none.</param>
/// <param name="Lower">The minimum weight; 0, no bound, by default.</param>
/// <param name="Masks">Weights outside the bounds become 0 (true) or the bound (false, the default).</param>
/// <param name="WholeSequences">True for one weight per sequence, the product over its tokens. False by default.</param>
public sealed record ImportanceCorrection(double Upper, double Lower = 0, bool Masks = false, bool WholeSequences = false)
{
    /// <summary>True to divide the weights by their mean over the batch: over its tokens, or over its sequences with
    /// <see cref="WholeSequences"/>.</summary>
    /// <value>The default is false.</value>
    public bool Normalizes { get; init; }

    /// <summary>Rules that all must keep a token for it to count.</summary>
    /// <value>The default is empty.</value>
    public IReadOnlyList<RolloutRejection> Rejections { get; init; } = [];

    /// <summary>False if all weights are 1, and tokens are only rejected.</summary>
    public bool IsWeighted { get; private init; } = true;

    /// <summary>Creates truncated importance sampling: min(w, cap) of each token.</summary>
    public static ImportanceCorrection Tis(double cap = 2) => new(cap);

    /// <summary>Creates masked importance sampling: w if it is at most the cap, otherwise 0.</summary>
    public static ImportanceCorrection Mis(double cap = 2) => new(cap, Masks: true);

    /// <summary>Creates IcePop: w if it is between the bounds, otherwise 0.</summary>
    public static ImportanceCorrection IcePop(double lower = 0.5, double upper = 5) => new(upper, lower, Masks: true);

    /// <summary>Creates a correction without weights, which only rejects.</summary>
    /// <param name="rejections">Rules that all must keep a token; at least one.</param>
    public static ImportanceCorrection Reject(params RolloutRejection[] rejections)
    {
        ArgumentNullException.ThrowIfNull(rejections);
        if (rejections.Length == 0)
            throw new ArgumentException("rejections is empty, expected at least one rule", nameof(rejections));
        return new ImportanceCorrection(double.PositiveInfinity) { IsWeighted = false, Rejections = rejections };
    }

    /// <summary>Computes the weights of a batch.</summary>
    /// <param name="logProbs">The trainer's log-probs at sampling time, [B,T]; no gradient flows.</param>
    /// <param name="samplerLogProbs">The sampler's, [B,T].</param>
    /// <param name="mask">[B,T].</param>
    /// <returns>[B,T], 0 where nothing counts; with <see cref="WholeSequences"/> [B], one per sequence. Without a gradient.</returns>
    public Tensor Weights(Tensor logProbs, Tensor samplerLogProbs, Tensor mask)
    {
        Check(logProbs, samplerLogProbs, mask);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (raw, counted) = Ratios(logProbs, samplerLogProbs, mask);
        return Normalized(Bounded(raw, mask), counted).MoveToOuterDisposeScope();
    }

    /// <summary>Computes weights, mask and metrics of a batch.</summary>
    /// <remarks>
    /// Weights do not depend on the rejections. Metrics, over counted tokens before rejection; those of sequences are over sequences with a
    /// counted token:
    /// <list type="bullet">
    /// <item><description>gap: <c>kl</c> (mean log π_sampler − log π_old), <c>kl_k3</c>, <c>chi2</c> and <c>sequence_chi2</c> (mean w² −
    /// 1),
    /// <c>perplexity</c>, <c>log_perplexity</c>, <c>sampler_perplexity</c>, <c>sampler_log_perplexity</c>, <c>perplexity_ratio</c>
    /// (trainer's over sampler's), <c>log_perplexity_gap</c> and its <c>_abs</c>, <c>_min</c>, <c>_max</c>.</description></item>
    /// <item><description>weights before normalisation: <c>weight</c> (mean), <c>weight_std</c>, <c>_min</c>, <c>_max</c>, <c>_above</c>
    /// and
    /// <c>_below</c> (share of unbounded weights beyond <see cref="Upper"/> and <see cref="Lower"/>, or 1/<see cref="Upper"/> without a
    /// lower bound; of sequences with <see cref="WholeSequences"/>), <c>weight_masked</c> (share set to 0), <c>effective_sample_size</c>
    /// ((mean w)²/mean w² of the tokens, 0 to 1), <c>sequence_weight</c> (mean over sequences of their mean weight) with the same suffixes
    /// and <c>_deviation</c> (largest distance from 1), <c>weight_normalizer</c>.</description></item>
    /// <item><description>each rejection, with <see cref="RolloutRejection.Name"/>: see there; <c>rejected</c> and
    /// <c>rejected_sequences</c> (share of tokens, and of sequences that lose a token).</description></item>
    /// </list>
    /// </remarks>
    /// <param name="logProbs">The trainer's log-probs at sampling time, [B,T]; no gradient flows.</param>
    /// <param name="samplerLogProbs">The sampler's, [B,T].</param>
    /// <param name="mask">[B,T].</param>
    public CorrectedRollouts Apply(Tensor logProbs, Tensor samplerLogProbs, Tensor mask)
    {
        Check(logProbs, samplerLogProbs, mask);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var metrics = new CorrectionMetrics(mask);
        metrics.AddGap(logProbs.detach(), samplerLogProbs.detach());
        var (raw, counted) = Ratios(logProbs, samplerLogProbs, mask);
        var bounded = Bounded(raw, mask);
        if (IsWeighted)
            metrics.AddWeights(raw, bounded, this);
        var weights = Normalized(bounded, counted, metrics);
        var kept = mask;
        foreach (var rule in Rejections)
            kept = rule.Apply(kept, logProbs.detach(), samplerLogProbs.detach(), mask, metrics);
        if (Rejections.Count > 0)
            metrics.AddRejected("", kept);
        var numbers = metrics.Numbers();
        return new CorrectedRollouts(
            weights.MoveToOuterDisposeScope(),
            (Rejections.Count > 0 ? kept : mask.alias()).MoveToOuterDisposeScope(),
            numbers
        );
    }

    internal void Validate()
    {
        if (!(Upper > 0))
            throw new ArgumentOutOfRangeException(nameof(Upper), Upper, "Upper must be above 0");
        Guard.Fraction(Lower / Upper, $"{nameof(Lower)} / {nameof(Upper)}");
        ArgumentNullException.ThrowIfNull(Rejections);
    }

    private void Check(Tensor logProbs, Tensor samplerLogProbs, Tensor mask)
    {
        Validate();
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(samplerLogProbs, nameof(samplerLogProbs), logProbs, nameof(logProbs));
        Guard.SameShape(mask, nameof(mask), logProbs, nameof(logProbs));
    }

    // Unbounded weights, [B,T] or [B], and where they count.
    private (Tensor Weights, Tensor Counted) Ratios(Tensor logProbs, Tensor samplerLogProbs, Tensor mask)
    {
        var difference = Masked.Counted(logProbs.detach() - samplerLogProbs.detach(), mask);
        var counted = mask != 0;
        if (!IsWeighted)
            return (zeros_like(difference).masked_fill(counted, 1), counted);
        return WholeSequences
            ? (KlDivergence.Bounded(difference.sum(1L)).exp(), counted.any(1))
            : (Masked.Counted(KlDivergence.Bounded(difference).exp(), mask), counted);
    }

    private Tensor Bounded(Tensor weights, Tensor mask)
    {
        var outside = (weights > Upper).logical_or(weights < Lower);
        var bounded =
            Masks ? weights.masked_fill(outside, 0)
            : double.IsInfinity(Upper) ? weights.clamp_min(Lower)
            : weights.clamp(Lower, Upper);
        return WholeSequences ? bounded : Masked.Counted(bounded, mask);
    }

    private Tensor Normalized(Tensor weights, Tensor counted, CorrectionMetrics? metrics = null)
    {
        if (!Normalizes || !IsWeighted)
            return weights;
        var mean = Masked.Mean(weights, counted);
        metrics?.Add("weight_normalizer", mean);
        // All weights 0: there is nothing to scale.
        return weights / mean.masked_fill(mean == 0, 1);
    }
}
