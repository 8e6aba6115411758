using PostTrain.Numerics;
using PostTrain.Operators;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy;

/// <summary>A policy objective composed of advantage, ratio, surrogate, aggregation and KL term: L = agg[w·s(ρ, A) + β·kl] − c·agg[H]. <see
/// cref="PolicyObjectives"/> has the named methods.</summary>
public sealed record PolicyObjective
{
    /// <summary>Name for logs.</summary>
    public required string Name { get; init; }

    /// <summary>The method that computes advantages from rewards; null if a critic gives them (PPO).</summary>
    public AdvantageMethod? Advantage { get; init; }

    /// <summary>The level of the ratio.</summary>
    /// <value>The default is <see cref="RatioLevel.Token"/>.</value>
    public RatioLevel Ratio { get; init; }

    /// <summary>The function of ratio and advantage.</summary>
    public required PolicySurrogate Surrogate { get; init; }

    /// <summary>The reduction of the token losses to one number.</summary>
    /// <value>The default is <see cref="LossAggregation.TokenMean"/>.</value>
    public LossAggregation Aggregation { get; init; } = LossAggregation.TokenMean;

    /// <summary>β of the KL term in the loss, at least 0. For a penalty in the reward use <see cref="TokenRewards.WithKl"/>.</summary>
    /// <value>The default is 0.</value>
    public double Beta { get; init; }

    /// <summary>Estimator of the divergence from the reference; <see cref="KlDivergence"/> gives the gradient of each.</summary>
    /// <value>The default is <see cref="KlEstimator.K3"/>.</value>
    public KlEstimator KlEstimator { get; init; } = KlEstimator.K3;

    /// <summary>True to multiply the estimate by ρ, with its gradient: ρ·k3 has the gradient ∇KL(π‖π_ref), k3 alone that of KL(π_ref‖π)
    /// (DeepSeek-V3.2, arXiv:2512.02556).</summary>
    /// <value>The default is false.</value>
    public bool CorrectKl { get; init; }

    /// <summary>c of the entropy bonus, at least 0; see <see cref="EntropyControl"/>.</summary>
    /// <value>The default is 0.</value>
    public double EntropyCoefficient { get; init; }

    /// <summary>The reduction of the token entropies to one number; null means <see cref="Aggregation"/> with its denominator. TRL always
    /// uses the token mean.</summary>
    /// <value>The default is null.</value>
    public LossAggregation? EntropyAggregation { get; init; }

    /// <summary>Returns the divisors of the terms over a batch.</summary>
    /// <param name="mask">[B,T], of the whole batch; 1 where a token counts.</param>
    public PolicyDenominators Denominators(Tensor mask) =>
        new(Aggregation.Denominator(mask), (EntropyAggregation ?? Aggregation).Denominator(mask));

    /// <summary>Computes the loss of a batch, or of a part of one.</summary>
    /// <param name="batch">Log-probs, advantages and mask; reference log-probs if β is above 0, entropies if c is.</param>
    /// <param name="denominator">The aggregation's denominator of the whole batch if this is a part of it; null means its own. An entropy
    /// bonus with its own aggregation is divided by that aggregation's denominator of the given tokens; for parts that sum to the whole,
    /// pass <see cref="Denominators"/>.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or a tensor is missing; the message names it.</exception>
    public PolicyObjectiveLoss Loss(PolicyBatch batch, double? denominator = null) =>
        Loss(batch, denominator, EntropyAggregation is null ? denominator : null);

    /// <summary>Computes the share of a part in the loss of a whole batch; the shares of all parts sum to the loss.</summary>
    /// <param name="batch">Log-probs, advantages and mask; reference log-probs if β is above 0, entropies if c is.</param>
    /// <param name="whole">The denominators of the whole batch's mask.</param>
    /// <exception cref="ArgumentException">Shapes do not agree, or a tensor is missing; the message names it.</exception>
    public PolicyObjectiveLoss Loss(PolicyBatch batch, PolicyDenominators whole) => Loss(batch, whole.Loss, whole.Entropy);

    /// <summary>Rejects an option that splits a batch whose sequences are compared with each other.</summary>
    /// <param name="option">The option that would split it; null for none.</param>
    internal void CheckParts(string? option)
    {
        ArgumentNullException.ThrowIfNull(Surrogate);
        if (option is not null && Surrogate.ComparesSequences)
            throw new ArgumentException(
                $"the surrogate of {Name} needs the covariances of a whole batch, which {option} splits into parts; expected "
                    + $"{option} to be null",
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
        if (Closed(batch, denominator, entropyDenominator) is { } closed)
            return closed;
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

    // The loss in one pass over memory; null where it has no closed form, and for other inputs. In its caller's scope, out of which the
    // results move.
    private PolicyObjectiveLoss? Closed(PolicyBatch batch, double? denominator, double? entropyDenominator)
    {
        var call = new PolicyCall(batch.LogProbs, batch.OldLogProbs, batch.Advantages, batch.Mask)
        {
            Reference = batch.ReferenceLogProbs,
            Weights = batch.Weights,
            ImportanceWeights = batch.ImportanceWeights,
            Level = Ratio,
            Beta = Beta,
            Estimator = KlEstimator,
            CorrectKl = CorrectKl,
            Aggregation = Aggregation,
            Denominator = denominator,
        };
        if (!PolicyPass.Takes(Surrogate) || !call.IsTaken)
            return null;
        (Tensor, double, Tensor)? bonus = null;
        if (EntropyCoefficient > 0)
        {
            var entropy = batch.Entropy!;
            var aggregation = EntropyAggregation ?? Aggregation;
            if (!TokenWeights.Takes(aggregation) || !Fused.Takes(entropy, batch.LogProbs) || !HasShape(entropy, batch.Mask))
                return null;
            if (entropyDenominator is { } given)
                Guard.NotNegative(given, nameof(denominator));
            var (value, gradient) = EntropyPass.Run(entropy, batch.Mask, aggregation, entropyDenominator, -EntropyCoefficient);
            bonus = (entropy, value, gradient);
        }
        var (found, loss, losses) = call.Run(
            Surrogate,
            own =>
            {
                var again = Loss(
                    new PolicyBatch(own[0]!, own[2]!, own[3]!, own[4]!)
                    {
                        Entropy = own[1],
                        ReferenceLogProbs = own[5],
                        Weights = own[6],
                        ImportanceWeights = own[7],
                    },
                    denominator,
                    entropyDenominator
                );
                return (again.Loss, again.TokenLosses);
            },
            bonus
        );
        return new PolicyObjectiveLoss(
            loss,
            losses,
            PolicyCall.Scalar(found.ClipFraction, losses),
            PolicyCall.Scalar(found.OldKl, losses),
            PolicyCall.Scalar(found.Kl, losses)
        );
    }

    private static bool HasShape(Tensor values, Tensor mask) =>
        values.dim() == 2 && mask.dim() == 2 && values.size(0) == mask.size(0) && values.size(1) == mask.size(1);
}
