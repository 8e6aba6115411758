using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>Weights that correct for a sampler whose probabilities differ from the trainer's: w = π_old/π_sampler, bounded.</summary>
/// <remarks>
/// Truncated (TIS: min(w, C), Yao et al. 2025), masked (MIS: 0 outside the bounds), or masked on both sides (IcePop, Ring-1T,
/// arXiv:2510.18855); of each token or of whole sequences (Π_t w_t).
/// </remarks>
/// <param name="Upper">C, the maximum weight; above 0.</param>
/// <param name="Lower">The minimum weight; 0, no bound, by default.</param>
/// <param name="Masks">Weights outside the bounds become 0 (true) or the bound (false, the default).</param>
/// <param name="WholeSequences">True for one weight per sequence, the product over its tokens. False by default.</param>
public sealed record ImportanceCorrection(double Upper, double Lower = 0, bool Masks = false, bool WholeSequences = false)
{
    /// <summary>Creates truncated importance sampling: min(w, cap) of each token.</summary>
    public static ImportanceCorrection Tis(double cap = 2) => new(cap);

    /// <summary>Creates masked importance sampling: w if it is at most the cap, otherwise 0.</summary>
    public static ImportanceCorrection Mis(double cap = 2) => new(cap, Masks: true);

    /// <summary>Creates IcePop: w if it is between the bounds, otherwise 0.</summary>
    public static ImportanceCorrection IcePop(double lower = 0.5, double upper = 5) => new(upper, lower, Masks: true);

    /// <summary>Computes the weights of a batch.</summary>
    /// <param name="logProbs">The trainer's log-probs at sampling time, [B,T]; no gradient flows.</param>
    /// <param name="samplerLogProbs">The sampler's, [B,T].</param>
    /// <param name="mask">[B,T].</param>
    /// <returns>[B,T], 0 where nothing counts; with <see cref="WholeSequences"/> [B], one per sequence. Without a gradient.</returns>
    public Tensor Weights(Tensor logProbs, Tensor samplerLogProbs, Tensor mask)
    {
        Guard.Positive(Upper, nameof(Upper));
        Guard.Fraction(Lower / Upper, $"{nameof(Lower)} / {nameof(Upper)}");
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.Floating(logProbs, nameof(logProbs));
        Guard.SameShape(samplerLogProbs, nameof(samplerLogProbs), logProbs, nameof(logProbs));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var difference = Masked.Counted(logProbs.detach() - samplerLogProbs.detach(), mask);
        if (WholeSequences)
            difference = difference.sum(1L);
        var weights = difference.exp();
        var bounded = Masks ? weights.masked_fill((weights > Upper).logical_or(weights < Lower), 0) : weights.clamp(Lower, Upper);
        return (WholeSequences ? bounded : Masked.Counted(bounded, mask)).MoveToOuterDisposeScope();
    }
}
