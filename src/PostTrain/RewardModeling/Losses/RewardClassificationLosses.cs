using PostTrain.Numerics;
using PostTrain.Supervised;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling.Losses;

/// <summary>Losses of reward models that judge whether an answer (outcome) or each of its steps (process) is right.</summary>
public static class RewardClassificationLosses
{
    /// <summary>Outcome reward model: L = mean[−c·log σ(z) − (1−c)·log σ(−z)], one verdict an answer.</summary>
    /// <remarks>Cobbe et al. 2021, arXiv:2110.14168; Uesato et al. 2022, arXiv:2211.14275. No answers give 0.</remarks>
    /// <param name="logits">z, [N]; σ(z) is the probability that the answer is right.</param>
    /// <param name="labels">c, [N], between 0 and 1 (true or false, or a probability); no gradient flows through them.</param>
    /// <param name="denominator">The number of answers of the whole batch where this is a part of it; N when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a label lies outside 0..1.</exception>
    public static RewardClassificationLoss Outcome(Tensor logits, Tensor labels, double? denominator = null)
    {
        Guard.Rank(logits, nameof(logits), 1, "[N]");
        Guard.Floating(logits, nameof(logits));
        Guard.SameShape(labels, nameof(labels), logits, nameof(logits));
        using var scope = NewDisposeScope();
        // One answer is a row of one position.
        var loss = Steps(
            logits.unsqueeze(1),
            labels.unsqueeze(1),
            ones_like(logits, dtype: ScalarType.Bool).unsqueeze(1),
            LossAggregation.TokenMean,
            denominator
        );
        return new RewardClassificationLoss(
            loss.Loss.MoveToOuterDisposeScope(),
            loss.ItemLosses.squeeze(1).MoveToOuterDisposeScope(),
            loss.Accuracy.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Process reward model with one logit a position: L = −agg[c·log σ(z) + (1−c)·log σ(−z)] over the ends of steps.</summary>
    /// <remarks>
    /// Lightman et al. 2023, arXiv:2305.20050; with labels from <see cref="StepLabels"/>: Math-Shepherd, Wang et al. 2023,
    /// arXiv:2312.08935, eq. 2. ∂ℓ/∂z = σ(z) − c. The label stands at the position whose hidden state is judged: nothing is shifted. Where
    /// the mask is 0, neither logits nor labels are read. A mask without a step gives 0.
    /// </remarks>
    /// <param name="logits">z, [B,T].</param>
    /// <param name="labels">c, [B,T], between 0 and 1 where the mask counts; no gradient flows through them.</param>
    /// <param name="mask">[B,T]; 1 at the last token of each step that has a label.</param>
    /// <param name="aggregation">Token mean (here: mean over steps) when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree, or a label lies outside 0..1.</exception>
    public static RewardClassificationLoss Steps(
        Tensor logits,
        Tensor labels,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        Guard.Rank(logits, nameof(logits), 2, "[B,T]");
        Guard.Floating(logits, nameof(logits));
        Guard.SameShape(labels, nameof(labels), logits, nameof(logits));
        Guard.SameShape(mask, nameof(mask), logits, nameof(logits));
        using var scope = NewDisposeScope();
        var scores = Masked.Counted(logits, mask);
        var targets = Masked.Counted(labels.detach().to_type(logits.dtype), mask);
        Guard.Probabilities(targets, nameof(labels));
        var losses = Masked.Counted((targets * scores.log_sigmoid() + (1 - targets) * scores.neg().log_sigmoid()).neg(), mask);
        var loss = (aggregation ?? LossAggregation.TokenMean).Apply(losses, mask, denominator);

        using var _ = no_grad();
        var accuracy = Masked.Mean((scores > 0).eq(targets > 0.5).to_type(losses.dtype), mask);
        return new RewardClassificationLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            accuracy.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Process reward model with classes: L = −agg[log softmax(z)_c] over the ends of steps, for two classes (wrong, right) or
    /// more.</summary>
    /// <remarks>
    /// PRM800K's three classes are negative, neutral, positive (arXiv:2305.20050). With logits (0, z) it is <see cref="Steps"/>. The
    /// cross-entropy of <see cref="SupervisedLosses.NegativeLogLikelihood"/>, with the label at the position that is judged: nothing is
    /// shifted.
    /// </remarks>
    /// <param name="logits">z, [B,T,C].</param>
    /// <param name="labels">[B,T], Int64 classes in 0..C−1 where the mask counts; the others are not read.</param>
    /// <param name="mask">[B,T]; 1 at the last token of each step that has a label.</param>
    /// <param name="aggregation">Token mean (here: mean over steps) when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes or types do not agree.</exception>
    public static RewardClassificationLoss StepClasses(
        Tensor logits,
        Tensor labels,
        Tensor mask,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        var loss = SupervisedLosses.NegativeLogLikelihood(logits, labels, mask, aggregation, denominator);
        return new RewardClassificationLoss(loss.Loss, loss.TokenLosses, loss.Accuracy);
    }
}
