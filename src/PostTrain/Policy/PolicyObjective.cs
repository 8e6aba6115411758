using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>advantage × ratio × surrogate × aggregation × KL: L = agg[w·s(ρ, A) + β·kl] − c·agg[H]. The named methods are values of it, see
/// <see cref="PolicyObjectives"/>.</summary>
public sealed record PolicyObjective
{
    /// <summary>For logs.</summary>
    public required string Name { get; init; }

    /// <summary>How rewards become advantages; null where a critic gives them (PPO).</summary>
    public AdvantageMethod? Advantage { get; init; }

    /// <summary>Of what the ratio is taken.</summary>
    /// <value>The default is <see cref="RatioLevel.Token"/>.</value>
    public RatioLevel Ratio { get; init; }

    /// <summary>What is made of ratio and advantage.</summary>
    public required PolicySurrogate Surrogate { get; init; }

    /// <summary>How the tokens' losses become one number.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <summary>β of the KL term in the loss, at least 0. A penalty in the reward is made by <see cref="TokenRewards.WithKl"/>
    /// instead.</summary>
    /// <value>The default is 0.</value>
    public double Beta { get; init; }

    /// <summary>How the divergence from the reference is estimated; see <see cref="KlDivergence"/> for the gradient of each.</summary>
    /// <value>The default is <see cref="KlEstimator.K3"/>.</value>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;

    /// <summary>Multiply the estimate by ρ, with its gradient: ρ·k3 has the gradient ∇KL(π‖π_ref) where k3 alone has that of KL(π_ref‖π)
    /// (DeepSeek-V3.2, arXiv:2512.02556).</summary>
    /// <value>The default is false.</value>
    public bool CorrectKl { get; init; }

    /// <summary>c of the entropy bonus, at least 0; see <see cref="EntropyControl"/>.</summary>
    /// <value>The default is 0.</value>
    public double EntropyCoefficient { get; init; }

    /// <summary>How the tokens' entropies become one number; as <see cref="Aggregation"/>, with its denominator, when null. TRL takes the
    /// token mean whatever the loss does.</summary>
    /// <value>The default is null.</value>
    public LossAggregation? EntropyAggregation { get; init; }

    /// <summary>Returns what the terms are divided by over a batch.</summary>
    /// <param name="mask">[B,T], of the whole batch; 1 where a token counts.</param>
    public PolicyDenominators Denominators(Tensor mask) =>
        new(Aggregation.Denominator(mask), (EntropyAggregation ?? Aggregation).Denominator(mask));

    /// <summary>The loss of a batch, or of a part of one.</summary>
    /// <param name="batch">Log-probs, advantages and mask; a reference where β is above 0, entropies where c is.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch where this is a part of it; its own when null. An entropy
    /// bonus with an aggregation of its own
    /// is divided by that one's denominator of the given tokens; for parts that add up, give <see cref="Denominators"/>.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or a tensor is missing; the message names it.</exception>
    public PolicyObjectiveLoss Loss(PolicyBatch batch, double? denominator = null) =>
        Loss(batch, denominator, EntropyAggregation is null ? denominator : null);

    /// <summary>The share of a part in the loss of a whole batch: the shares of the parts add up, whatever the parts.</summary>
    /// <param name="batch">Log-probs, advantages and mask; a reference where β is above 0, entropies where c is.</param>
    /// <param name="whole">Of the whole batch's mask.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or a tensor is missing; the message names it.</exception>
    public PolicyObjectiveLoss Loss(PolicyBatch batch, PolicyDenominators whole) => Loss(batch, whole.Loss, whole.Entropy);

    /// <summary>Refuses to cut a batch whose sequences are compared with each other.</summary>
    /// <param name="option">What would cut it; null for nothing.</param>
    internal void CheckParts(string? option)
    {
        ArgumentNullException.ThrowIfNull(Surrogate);
        if (option is not null && Surrogate.ComparesSequences)
            throw new ArgumentException(
                $"the surrogate of {Name} takes its covariances over a whole batch, which {option} cuts into parts; expected {option} to be null",
                option
            );
    }

    private PolicyObjectiveLoss Loss(PolicyBatch batch, double? denominator, double? entropyDenominator)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Guard.NotNegative(Beta, nameof(Beta));
        Guard.NotNegative(EntropyCoefficient, nameof(EntropyCoefficient));
        if (Beta > 0 && batch.ReferenceLogProbs is null)
            throw new ArgumentException($"batch has no ReferenceLogProbs, which Beta = {Beta} needs", nameof(batch));
        if (EntropyCoefficient > 0 && batch.Entropy is null)
            throw new ArgumentException($"batch has no Entropy, which EntropyCoefficient = {EntropyCoefficient} needs", nameof(batch));
        using var scope = NewDisposeScope();
        var (logProbs, mask) = (batch.LogProbs, batch.Mask);
        var (losses, cut, logRatio) = PolicyLosses.Terms(
            logProbs,
            batch.OldLogProbs,
            batch.Advantages,
            mask,
            Surrogate,
            Ratio,
            batch.Weights,
            batch.ImportanceWeights
        );
        var kl = logProbs.new_zeros(1).squeeze(0);
        if (batch.ReferenceLogProbs is { } reference)
        {
            var estimate = KlDivergence.Estimate(logProbs, reference, mask, KlEstimator);
            if (CorrectKl)
                estimate = estimate * KlDivergence.Bounded(logRatio).exp();
            kl = Masked.Mean(estimate.detach(), mask);
            if (Beta > 0)
                losses = losses + estimate * Beta;
        }
        var loss = Aggregation.Apply(losses, mask, denominator);
        if (EntropyCoefficient > 0)
            loss = loss - (EntropyAggregation ?? Aggregation).Apply(batch.Entropy!, mask, entropyDenominator) * EntropyCoefficient;
        using var _ = no_grad();
        var clipFraction = Masked.Mean(cut.to_type(losses.dtype), mask);
        var oldKl = Masked.Mean(KlDivergence.Estimate(batch.OldLogProbs.detach(), logProbs), mask);
        return new PolicyObjectiveLoss(
            loss.MoveToOuterDisposeScope(),
            losses.MoveToOuterDisposeScope(),
            clipFraction.MoveToOuterDisposeScope(),
            oldKl.MoveToOuterDisposeScope(),
            kl.MoveToOuterDisposeScope()
        );
    }
}
