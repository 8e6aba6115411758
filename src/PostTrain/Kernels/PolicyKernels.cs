using PostTrain.Numerics;
using PostTrain.Policy;
using PostTrain.Policy.Losses;
using static TorchSharp.torch;

namespace PostTrain.Kernels;

/// <summary>Policy and value losses with their gradients, in one pass over CPU memory without an autograd graph.</summary>
/// <remarks>
/// Float32 and float64; losses summed in float64. The type of the log-probabilities (the values) is that of the results, the others are
/// converted to it. Results are fresh tensors; the caller owns them. They are the same bits for any number of threads.
/// <see cref="Kernel.Attach"/> puts a result into a graph.
/// </remarks>
/// <exception cref="NotSupportedException">The tensors are not on the CPU, or of a 16-bit type.</exception>
public static partial class PolicyKernels
{
    /// <summary>True if <see cref="Objective"/> has a closed form of the surrogate: clipped in all ways, the ratio, the log-probability,
    /// CISPO, DPPO, SAPO, DRO.</summary>
    public static bool Supports(PolicySurrogate surrogate) => PolicyPass.Takes(surrogate);

    /// <summary>Clipped surrogate, as <see cref="PolicyLosses.ClippedSurrogate"/>.</summary>
    /// <param name="logProbs">log π of the taken tokens, [B,T].</param>
    /// <param name="oldLogProbs">log π at sampling time, [B,T].</param>
    /// <param name="advantages">[B,T], or [B] for one value a sequence.</param>
    /// <param name="mask">[B,T]; 1 where the token was generated and counts.</param>
    /// <param name="clip">ε₋ and ε₊; a number stands for both.</param>
    /// <param name="aggregation">Token mean when null.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree; the message names both.</exception>
    public static PolicyLossWithGradient ClippedSurrogate(
        Tensor logProbs,
        Tensor oldLogProbs,
        Tensor advantages,
        Tensor mask,
        ClipRange clip,
        LossAggregation? aggregation = null,
        double? denominator = null
    )
    {
        clip.Check(nameof(clip));
        return Run(
            new PolicyCall(logProbs, oldLogProbs, advantages, mask) { Aggregation = aggregation, Denominator = denominator },
            PolicySurrogate.Clip(clip)
        );
    }

    /// <summary>Any supported objective, as <see cref="PolicyObjective.Loss(PolicyBatch, double?)"/>, at every level of the ratio, with KL
    /// term and entropy bonus.</summary>
    /// <param name="objective">The objective.</param>
    /// <param name="batch">Log-probs, advantages and mask; a reference where β is above 0, entropies where c is.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or a tensor is missing; the message names it.</exception>
    /// <exception cref="NotSupportedException">The surrogate has no closed form, see <see cref="Supports"/>, or an aggregation is one of
    /// one's own.</exception>
    public static PolicyLossWithGradient Objective(PolicyObjective objective, PolicyBatch batch, double? denominator = null)
    {
        ArgumentNullException.ThrowIfNull(objective);
        ArgumentNullException.ThrowIfNull(batch);
        Guard.NotNegative(objective.Beta, nameof(objective.Beta));
        Guard.NotNegative(objective.EntropyCoefficient, nameof(objective.EntropyCoefficient));
        if (objective.Beta > 0 && batch.ReferenceLogProbs is null)
            throw new ArgumentException($"batch has no ReferenceLogProbs, which Beta = {objective.Beta} needs", nameof(batch));
        if (objective.EntropyCoefficient > 0 && batch.Entropy is null)
            throw new ArgumentException(
                $"batch has no Entropy, which EntropyCoefficient = {objective.EntropyCoefficient} needs",
                nameof(batch)
            );
        TokenWeights.Check(objective.EntropyAggregation);
        var call = new PolicyCall(batch.LogProbs, batch.OldLogProbs, batch.Advantages, batch.Mask)
        {
            Reference = batch.ReferenceLogProbs,
            Weights = batch.Weights,
            ImportanceWeights = batch.ImportanceWeights,
            Level = objective.Ratio,
            Beta = objective.Beta,
            Estimator = objective.KlEstimator,
            CorrectKl = objective.CorrectKl,
            Aggregation = objective.Aggregation,
            Denominator = denominator,
        };
        var loss = Run(call, objective.Surrogate);
        if (!(objective.EntropyCoefficient > 0))
            return loss;
        Guard.Rank(batch.Entropy!, "entropy", 2, "[B,T]");
        KernelGuard.Number(batch.Entropy!, "entropy");
        KernelGuard.SameShape(batch.Mask, "mask", batch.Entropy!, "entropy");
        var (value, gradient) = EntropyPass.Run(
            batch.Entropy!,
            batch.Mask,
            objective.EntropyAggregation ?? objective.Aggregation,
            objective.EntropyAggregation is null ? denominator : null,
            -objective.EntropyCoefficient
        );
        return loss with { Loss = loss.Loss + value, EntropyGradient = gradient };
    }

    private static PolicyLossWithGradient Run(PolicyCall call, PolicySurrogate surrogate)
    {
        call.Check();
        var found = PolicyPass.Run(call, surrogate);
        return new PolicyLossWithGradient(found.Loss, found.Losses, found.Gradient, null, found.ClipFraction, found.OldKl, found.Kl);
    }
}
