using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Rollouts;
using PostTrain.Training.Diagnostics;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>
/// Groups of a step side by side. Those of a draw go through the model in a shape of their own; what is computed of all of them
/// (advantages, masks, denominators) sees tensors of N rows, padded on the right to the longest completion. They belong to the current
/// scope.
/// </summary>
internal sealed class GrpoBatch
{
    private readonly IReadOnlyList<RolloutGroups> groups;
    private readonly Ranks ranks;

    internal GrpoBatch(IReadOnlyList<RolloutGroups> groups, int? microBatchSize, Ranks ranks)
    {
        (this.groups, this.ranks) = (groups, ranks);
        RowCount = groups.Sum(drawn => drawn.RowCount);
        Parts = [.. Cut(groups, microBatchSize)];
        Mask = Stack(drawn => drawn.Rows.CompletionMask);
        LogProbs = Stack(drawn => drawn.Rows.LogProbs);
        DrawnLogProbs = Stack(drawn => drawn.DrawnLogProbs);
        Rewards = tensor(groups.SelectMany(drawn => drawn.Rewards).ToArray()).to(Mask.device);
        Finished = tensor(groups.SelectMany(drawn => drawn.Finished).ToArray()).to(Mask.device);
    }

    internal int RowCount { get; }

    /// <summary>Rows that go through the model at once, and the number of the first of them in the batch.</summary>
    internal IReadOnlyList<(RolloutRows Rows, int Start)> Parts { get; }

    /// <summary>[N,T]: generated tokens.</summary>
    internal Tensor Mask { get; }

    /// <summary>[N,T]: log-probs that training computes, at sampling time.</summary>
    internal Tensor LogProbs { get; }

    /// <summary>[N,T]: log-probs of the pass that drew.</summary>
    internal Tensor DrawnLogProbs { get; }

    /// <summary>[N] float64.</summary>
    internal Tensor Rewards { get; }

    /// <summary>[N] bool.</summary>
    internal Tensor Finished { get; }

    /// <summary>Runs a model over each part without gradient and returns [N,T] of its results, [rows, columns] each.</summary>
    internal Tensor Ask(Func<RolloutRows, Tensor> question)
    {
        using var mode = no_grad();
        return Concatenate(ranks.Each(Parts.Count, part => question(Parts[part].Rows)));
    }

    /// <summary>Returns the mean over completions of Σ_t (log π_old − log π_ref), in nats: the input of a KL control.</summary>
    internal double Divergence(Tensor referenceLogProbs)
    {
        using var scope = NewDisposeScope();
        return Masked.Sum(LogProbs.detach() - referenceLogProbs, Mask).ToDouble() / RowCount;
    }

    /// <summary>Computes the advantages, [N] or [N,T], in the type of the log-probs: rewards, the penalty for length, the KL penalty in the
    /// reward, the objective's advantage.</summary>
    /// <param name="referenceLogProbs">[N,T], or null without a reference.</param>
    /// <param name="klCoefficient">β of a KL penalty in the reward.</param>
    /// <param name="options">Options of the trainer.</param>
    /// <param name="metrics">Takes <c>reward/overlong</c> and <c>policy/zero_advantages</c>.</param>
    internal Tensor Advantages(Tensor? referenceLogProbs, double? klCoefficient, GrpoOptions options, Dictionary<string, double> metrics)
    {
        var rewards = Rewards;
        var components = groups[0]
            .Components.Keys.Where(name => groups.All(drawn => drawn.Components.ContainsKey(name)))
            .ToDictionary(name => name, name => groups.SelectMany(drawn => drawn.Components[name]).ToArray());
        if (options.Overlong is { } overlong)
        {
            var penalty =
                TokenRewards.Overlong(Mask.sum(1L), overlong.Limit ?? options.Sampling.MaxNewTokens, overlong.Buffer) * overlong.Weight;
            metrics["reward/overlong"] = penalty.mean().ToDouble();
            rewards = rewards + penalty;
            components["overlong"] = [.. penalty.cpu().data<double>()];
        }
        Tensor tokenRewards;
        if (options.Kl is { InReward: true } kl)
        {
            tokenRewards = TokenRewards.WithKl(
                LogProbs.to_type(ScalarType.Float64),
                referenceLogProbs!.to_type(ScalarType.Float64),
                rewards,
                Mask,
                klCoefficient!.Value,
                kl.Estimator
            );
            rewards = tokenRewards.sum(1L);
        }
        else
        {
            tokenRewards = TokenRewards.AtLastToken(rewards, Mask);
        }
        var inputs = new AdvantageInputs(rewards, options.GroupSize, Mask, tokenRewards)
        {
            Components = components,
            GreedyRewards = groups[0].GreedyRewards is null
                ? null
                : tensor(groups.SelectMany(drawn => drawn.GreedyRewards!).ToArray()).to(Mask.device),
        };
        var advantages = options.Objective.Advantage!.Compute(inputs).to_type(LogProbs.dtype);
        // A caller's own batch may be smaller than the options'.
        if (RowCount < options.Objective.Advantage.LeastBatch && advantages.count_nonzero().ToInt64() == 0)
            metrics[ZeroAdvantages.Metric] = 1;
        return advantages;
    }

    private Tensor Stack(Func<RolloutGroups, Tensor> tensors) => Concatenate([.. groups.Select(tensors)]);

    private static Tensor Concatenate(IReadOnlyList<Tensor> parts)
    {
        long columns = parts.Max(part => part.shape[1]);
        return cat([.. parts.Select(part => Widen(part, columns - part.shape[1]))], 0);
    }

    private static Tensor Widen(Tensor part, long more) => more == 0 ? part : cat([part, part.new_zeros(part.shape[0], more)], 1);

    private IEnumerable<(RolloutRows Rows, int Start)> Cut(IReadOnlyList<RolloutGroups> groups, int? microBatchSize)
    {
        int before = 0;
        foreach (var drawn in groups)
        {
            int size = ranks.PartSize(drawn.RowCount, microBatchSize);
            for (int start = 0; start < drawn.RowCount; start += size)
                yield return (drawn.Rows.Part(start, Math.Min(size, drawn.RowCount - start)), before + start);
            before += drawn.RowCount;
        }
    }
}
