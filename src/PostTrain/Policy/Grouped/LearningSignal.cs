using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using PostTrain.Training.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>What a step's updates learn from, worked out once for the whole batch; tensors of the current scope.</summary>
/// <param name="Objective">With this step's weights β and c.</param>
/// <param name="Advantages">[N] or [N,T], in the type of the log-probs.</param>
/// <param name="Mask">[N,T]: the tokens that count.</param>
/// <param name="Denominators">The objective's, of the whole batch.</param>
internal sealed record LearningSignal(PolicyObjective Objective, Tensor Advantages, Tensor Mask, PolicyDenominators Denominators)
{
    /// <summary>[N,T]; 0 where a token adds nothing to the surrogate.</summary>
    internal Tensor? Weights { get; init; }

    /// <summary>In nats a token, where it had to be measured before the update.</summary>
    internal double? MeanEntropy { get; init; }

    /// <summary>[N,T], or [N] for one a completion.</summary>
    internal Tensor? ImportanceWeights { get; init; }

    /// <summary>[N,T].</summary>
    internal Tensor? ReferenceLogProbs { get; init; }

    /// <summary>Of a batch, as the policy is before the first update; what is measured on the way goes into the metrics.</summary>
    /// <param name="batch">What was drawn.</param>
    /// <param name="referenceLogProbs">[N,T], or null without a reference.</param>
    /// <param name="entropy">Gives [N,T], at the cost of a pass; called at most once.</param>
    /// <param name="state">The weights as they are in this step. Not changed.</param>
    /// <param name="options">The trainer's.</param>
    /// <param name="metrics">See <see cref="GrpoTrainer"/>.</param>
    internal static LearningSignal Of(
        StepBatch batch,
        Tensor? referenceLogProbs,
        Func<Tensor> entropy,
        GrpoState state,
        GrpoOptions options,
        Dictionary<string, double> metrics
    )
    {
        var mask = options.Tokens.DropUnfinished ? CompletionMasks.WithoutUnfinished(batch.Mask, batch.Finished) : batch.Mask;
        bool needsEntropy = options.Tokens.TopEntropy < 1 || state.Entropy is { Target: not null };
        var entropies = needsEntropy ? entropy() : null;
        double? meanEntropy = entropies is null ? null : Masked.Mean(entropies, batch.Mask).ToDouble();
        double bonus = options.Objective.EntropyCoefficient;
        if (state.Entropy is { } control)
        {
            bonus = control.Weight(meanEntropy ?? 0);
            metrics["entropy/coefficient"] = bonus;
        }
        var weights = options.Tokens.TopEntropy < 1 ? CompletionMasks.TopEntropy(entropies!, mask, options.Tokens.TopEntropy) : null;
        if (options.Tokens is { DropUnfinished: true } or { TopEntropy: < 1 })
            metrics["policy/learnt_tokens"] =
                (weights ?? mask).to_type(ScalarType.Float64).sum().ToDouble() / batch.Mask.to_type(ScalarType.Float64).sum().ToDouble();
        var objective = options.Objective with
        {
            Beta = options.Kl is { InReward: false } ? state.Kl!.Coefficient : options.Objective.Beta,
            EntropyCoefficient = bonus,
        };
        return new LearningSignal(
            objective,
            AdvantagesOf(batch, referenceLogProbs, state, options, metrics),
            mask,
            objective.Denominators(mask)
        )
        {
            Weights = weights,
            MeanEntropy = meanEntropy,
            ImportanceWeights = Correction(batch, mask, options, metrics),
            ReferenceLogProbs = referenceLogProbs,
        };
    }

    /// <summary>Mean over completions of Σ_t (log π_old − log π_ref): what the KL control follows, in nats a completion.</summary>
    internal static double Divergence(StepBatch batch, Tensor referenceLogProbs)
    {
        using var scope = NewDisposeScope();
        return Masked.Sum(batch.LogProbs.detach() - referenceLogProbs, batch.Mask).ToDouble() / batch.RowCount;
    }

    private static Tensor AdvantagesOf(
        StepBatch batch,
        Tensor? referenceLogProbs,
        GrpoState state,
        GrpoOptions options,
        Dictionary<string, double> metrics
    )
    {
        var (rewards, components) = (batch.Rewards, batch.Components);
        if (options.Overlong is { } overlong)
        {
            var penalty =
                TokenRewards.Overlong(batch.Mask.sum(1L), overlong.Limit ?? options.Sampling.MaxNewTokens, overlong.Buffer)
                * overlong.Weight;
            metrics["reward/overlong"] = penalty.mean().ToDouble();
            rewards = rewards + penalty;
            components = new Dictionary<string, double[]>(components) { ["overlong"] = [.. penalty.cpu().data<double>()] };
        }
        Tensor tokenRewards;
        if (options.Kl is { InReward: true } kl)
        {
            tokenRewards = TokenRewards.WithKl(
                batch.LogProbs.to_type(ScalarType.Float64),
                referenceLogProbs!.to_type(ScalarType.Float64),
                rewards,
                batch.Mask,
                state.Kl!.Coefficient,
                kl.Estimator
            );
            rewards = tokenRewards.sum(1L);
        }
        else
        {
            tokenRewards = TokenRewards.AtLastToken(rewards, batch.Mask);
        }
        var inputs = new AdvantageInputs(rewards, options.GroupSize, batch.Mask, tokenRewards)
        {
            Components = components,
            GreedyRewards = batch.GreedyRewards,
        };
        var advantages = options.Objective.Advantage!.Compute(inputs).to_type(batch.LogProbs.dtype);
        // A caller's own batch may be smaller than the options'.
        if (batch.RowCount < options.Objective.Advantage.LeastBatch && advantages.count_nonzero().ToInt64() == 0)
            metrics[ZeroAdvantages.Metric] = 1;
        return advantages;
    }

    private static Tensor? Correction(StepBatch batch, Tensor mask, GrpoOptions options, Dictionary<string, double> metrics)
    {
        if (options.Correction is not { } correction)
            return null;
        var weights = correction.Weights(batch.LogProbs, batch.DrawnLogProbs, mask);
        metrics["policy/importance_weight"] = Masked
            .Mean(weights.dim() == 1 ? weights.unsqueeze(1).expand_as(mask) : weights, mask)
            .ToDouble();
        return weights;
    }
}
