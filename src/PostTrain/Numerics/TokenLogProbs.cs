using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Numerics;

/// <summary>Log-probabilities of given tokens and entropies of their distributions.</summary>
public static class TokenLogProbs
{
    /// <summary>Computes log π(target) = z_target − log Σ_v exp z_v for each position.</summary>
    /// <remarks>The logits at a position must predict the target there: shift first (the logits at t predict token t + 1).</remarks>
    /// <param name="logits">[..., T, V], floating point.</param>
    /// <param name="targets">[..., T], token ids in 0..V−1.</param>
    /// <returns>[..., T], of the logits' type; differentiable in the logits.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static Tensor Gather(Tensor logits, Tensor targets)
    {
        Check(logits, targets);
        return LogProbOperator.Takes(logits, targets, null)
            ? LogProbOperator.Run(logits, targets, null, hits: false).LogProbs
            : LogProbOperator.Reference(logits, targets, null);
    }

    /// <summary>Computes log π(target) where the mask counts; 0 elsewhere.</summary>
    /// <remarks>
    /// Logits and targets of uncounted positions are not read: they may hold NaN or a target such as −100, and the logits' gradient is 0.
    /// The logits at a position must predict the target there.
    /// </remarks>
    /// <param name="logits">[..., T, V], floating point.</param>
    /// <param name="targets">[..., T]; token ids in 0..V−1 where the mask counts.</param>
    /// <param name="mask">[..., T]; 1 where a position counts.</param>
    /// <returns>[..., T], of the logits' type; differentiable in the logits.</returns>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static Tensor Gather(Tensor logits, Tensor targets, Tensor mask)
    {
        Check(logits, targets);
        Guard.SameShape(mask, nameof(mask), targets, nameof(targets));
        return LogProbOperator.Takes(logits, targets, mask)
            ? LogProbOperator.Run(logits, targets, mask, hits: false).LogProbs
            : LogProbOperator.Reference(logits, targets, mask);
    }

    /// <summary>Computes the entropy of each position's distribution, H = −Σ_v π_v log π_v, in nats.</summary>
    /// <param name="logits">[..., V]; a logit of −∞ is a token of probability 0 and contributes 0.</param>
    /// <returns>[...], between 0 and log V.</returns>
    public static Tensor Entropy(Tensor logits)
    {
        Guard.Floating(logits, nameof(logits));
        if (DistributionPass.TakesEntropies(logits))
            return DistributionPass.Entropies(logits);
        using var scope = NewDisposeScope();
        return EntropyOf(logits.log_softmax(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Computes −Σ_v π_v log π_v of normalised log-probabilities [..., V]. Intermediate results belong to the caller's
    /// scope.</summary>
    internal static Tensor EntropyOf(Tensor logProbs)
    {
        // p·log p tends to 0 at p = 0, where the product would be NaN.
        var finite = logProbs.masked_fill(logProbs.isneginf(), 0);
        return logProbs.exp().mul(finite).sum(-1).neg();
    }

    private static void Check(Tensor logits, Tensor targets)
    {
        Guard.Floating(logits, nameof(logits));
        Guard.Ids(targets, nameof(targets));
        if (logits.dim() != targets.dim() + 1 || !logits.shape.AsSpan()[..^1].SequenceEqual(targets.shape))
            throw new ArgumentException(
                $"targets has shape {Guard.Shape(targets)}, expected logits' shape {Guard.Shape(logits)} without its last dimension",
                nameof(targets)
            );
    }
}
