using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Estimators;

/// <summary>Which tokens of a completion count in a policy loss.</summary>
public static class CompletionMasks
{
    /// <summary>[B,T] bool: the tokens up to and with the first stop token; all of them where there is none.</summary>
    /// <param name="tokens">[B,T], Int64.</param>
    /// <param name="stopToken">The id that ends a completion.</param>
    public static Tensor UpToStop(Tensor tokens, long stopToken)
    {
        Guard.Rank(tokens, nameof(tokens), 2, "[B,T]");
        Guard.Ids(tokens, nameof(tokens));
        using var scope = NewDisposeScope();
        var stops = tokens.eq(stopToken).to_type(ScalarType.Int64);
        // Before a position, and not at it: the stop token itself counts.
        return (stops.cumsum(1) - stops).eq(0).MoveToOuterDisposeScope();
    }

    /// <summary>The mask without the completions that did not end by themselves.</summary>
    /// <remarks>DAPO's overlong filtering, arXiv:2503.14476, section 3.4. Such completions still take part in their group's
    /// baseline.</remarks>
    /// <param name="mask">[B,T].</param>
    /// <param name="finished">[B]; 1 or true where the completion ended with a stop token.</param>
    public static Tensor WithoutUnfinished(Tensor mask, Tensor finished)
    {
        Guard.Rank(mask, nameof(mask), 2, "[B,T]");
        ArgumentNullException.ThrowIfNull(finished);
        if (finished.dim() != 1 || finished.shape[0] != mask.shape[0])
            throw new ArgumentException(
                $"finished has shape {Guard.Shape(finished)}, expected [{mask.shape[0]}], one a row of mask",
                nameof(finished)
            );
        using var scope = NewDisposeScope();
        return mask.masked_fill((finished != 0).logical_not().unsqueeze(1), 0).MoveToOuterDisposeScope();
    }

    /// <summary>[B,T] of 0 and 1: the share <paramref name="fraction"/> of the counted tokens at which the policy was least
    /// certain.</summary>
    /// <remarks>
    /// Wang et al. 2025, arXiv:2506.01939: only "forking tokens" learn, 20 % of them in the paper. Threshold = the (1 − fraction)
    /// quantile of the counted entropies, linearly interpolated, tokens at the threshold included.
    /// </remarks>
    /// <param name="entropy">[B,T], in nats.</param>
    /// <param name="mask">[B,T].</param>
    /// <param name="fraction">0 to 1; 1 keeps all.</param>
    public static Tensor TopEntropy(Tensor entropy, Tensor mask, double fraction)
    {
        Guard.Rank(entropy, nameof(entropy), 2, "[B,T]");
        Guard.Floating(entropy, nameof(entropy));
        Guard.SameShape(mask, nameof(mask), entropy, nameof(entropy));
        Guard.Fraction(fraction, nameof(fraction));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var counted = mask != 0;
        var kept = entropy.detach().masked_select(counted);
        if (kept.numel() == 0)
            return zeros_like(entropy).MoveToOuterDisposeScope();
        // Sorted and not torch.quantile, which refuses more than 16 million values.
        var sorted = kept.sort().Values;
        double place = (1 - fraction) * (sorted.shape[0] - 1);
        long below = (long)Math.Floor(place);
        var low = sorted[below];
        var threshold = low + (sorted[Math.Min(below + 1, sorted.shape[0] - 1)] - low) * (place - below);
        return counted.logical_and(entropy.detach() >= threshold).to_type(entropy.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>[B]: 0 for the sequences with a negative advantage that the policy has moved away from, mean_t(log π_old − log π) &gt;
    /// threshold; 1 for the others.</summary>
    /// <remarks>DeepSeek-V3.2's off-policy sequence masking, arXiv:2512.02556, eq. 9; multiplies the surrogate, not the KL term.</remarks>
    /// <param name="logProbs">log π, [B,T]; no gradient flows.</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="advantages">[B].</param>
    /// <param name="mask">[B,T].</param>
    /// <param name="threshold">δ, at least 0.</param>
    public static Tensor OnPolicySequences(Tensor logProbs, Tensor oldLogProbs, Tensor advantages, Tensor mask, double threshold)
    {
        Guard.Rank(logProbs, nameof(logProbs), 2, "[B,T]");
        Guard.SameShape(oldLogProbs, nameof(oldLogProbs), logProbs, nameof(logProbs));
        ArgumentNullException.ThrowIfNull(advantages);
        if (advantages.dim() != 1 || advantages.shape[0] != logProbs.shape[0])
            throw new ArgumentException(
                $"advantages has shape {Guard.Shape(advantages)}, expected [{logProbs.shape[0]}]",
                nameof(advantages)
            );
        Guard.NotNegative(threshold, nameof(threshold));
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var drift = Masked.Mean(oldLogProbs.detach() - logProbs.detach(), mask, 1);
        return (advantages < 0).logical_and(drift > threshold).logical_not().to_type(logProbs.dtype).MoveToOuterDisposeScope();
    }
}
