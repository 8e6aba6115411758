using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Supervised;

/// <summary>Losses that make given tokens likely.</summary>
public static class SupervisedLosses
{
    /// <summary>Negative log-likelihood L = −agg[log π(target)]; by default the mean over the counted tokens, −(1/Σm) Σ m·log π.</summary>
    /// <remarks>
    /// The loss of supervised fine-tuning. Its gradient with respect to the logits is (softmax(z) − onehot(target))·m/Σm.
    /// A mask without a counted token gives 0. Returns fresh tensors; the caller owns them.
    /// </remarks>
    /// <param name="logits">[B,T,V]; the logits at a position predict its target (already shifted).</param>
    /// <param name="targets">[B,T], token ids in 0..V−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 where the target is to be learnt.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static SupervisedLoss NegativeLogLikelihood(Tensor logits, Tensor targets, Tensor mask,
        LossAggregation? aggregation = null, double? denominator = null)
    {
        Guard.Rank(logits, nameof(logits), 3, "[B,T,V]");
        using var scope = NewDisposeScope();
        var losses = TokenLogProbs.Gather(logits, targets, mask).neg();
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);

        using var _ = no_grad();
        var accuracy = Masked.Mean(logits.argmax(-1).eq(targets).to_type(losses.dtype), mask);
        return new SupervisedLoss(loss.MoveToOuterDisposeScope(), losses.MoveToOuterDisposeScope(), accuracy.MoveToOuterDisposeScope());
    }
}
