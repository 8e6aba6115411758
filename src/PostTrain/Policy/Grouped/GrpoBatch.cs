using PostTrain.Numerics;
using PostTrain.Policy.Estimators;
using PostTrain.Rollouts;
using PostTrain.Training;
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

/// <summary>Whole groups of completions from one draw, so that their rows have the same shape. The tensors belong to the scope in which
/// they were taken.</summary>
/// <param name="Rows">Prompts, completions and the log-probs that training computes, N rows.</param>
/// <param name="DrawnLogProbs">[N,T]: log-probs of the sampling pass.</param>
/// <param name="GroupSize">Completions of a group.</param>
/// <param name="Rewards">N rewards, without penalties.</param>
/// <param name="Finished">True if a completion ended by itself.</param>
/// <param name="Components">Named components of the rewards, N each.</param>
/// <param name="GreedyRewards">One per group, or null.</param>
internal sealed record RolloutGroups(
    RolloutRows Rows,
    Tensor DrawnLogProbs,
    int GroupSize,
    double[] Rewards,
    bool[] Finished,
    IReadOnlyDictionary<string, double[]> Components,
    double[]? GreedyRewards = null
)
{
    /// <summary>Takes groups of a draw.</summary>
    /// <param name="drawn">Judged rollouts.</param>
    /// <param name="groupSize">Completions of a group.</param>
    /// <param name="groups">Indices of the groups, at least one.</param>
    /// <param name="components">Names of the reward's components to keep.</param>
    internal static RolloutGroups Of(JudgedRollouts drawn, int groupSize, IReadOnlyList<int> groups, IEnumerable<string> components)
    {
        int rows = drawn.Scores.Values.Length;
        var all = new RolloutGroups(
            drawn.Rollouts.Rows(0, rows),
            drawn.Rollouts.DrawnLogProbs.narrow(0, 0, rows),
            groupSize,
            drawn.Scores.Values,
            [.. drawn.Rollouts.Finished],
            components.ToDictionary(name => name, name => drawn.Scores.Components[name])
        );
        return all.Select(groups);
    }

    internal int RowCount => Rewards.Length;

    internal int Count => Rewards.Length / GroupSize;

    internal int Columns => (int)Rows.CompletionMask.shape[1];

    /// <summary>Returns true if the rewards of a group differ: equal ones give no gradient.</summary>
    internal bool HasSignal(int group) => HasSignal(Rewards.AsSpan(group * GroupSize, GroupSize));

    /// <summary>Returns true if the rewards of a group differ: equal ones give no gradient.</summary>
    internal static bool HasSignal(ReadOnlySpan<double> rewards) => rewards.ContainsAnyExcept(rewards[0]);

    /// <summary>Returns some of the groups: itself if these are all, otherwise copies of their rows.</summary>
    internal RolloutGroups Select(IReadOnlyList<int> groups)
    {
        if (groups.Count == Count)
            return this;
        int[] rows = [.. groups.SelectMany(group => Enumerable.Range(group * GroupSize, GroupSize))];
        using var index = tensor(rows.Select(row => (long)row).ToArray(), device: Rows.Ids.device);
        T[] Chosen<T>(T[] values) => [.. rows.Select(row => values[row])];
        return new RolloutGroups(
            Rows.Select(index),
            DrawnLogProbs.index_select(0, index),
            GroupSize,
            Chosen(Rewards),
            Chosen(Finished),
            Components.ToDictionary(part => part.Key, part => Chosen(part.Value)),
            GreedyRewards is null ? null : [.. groups.Select(group => GreedyRewards[group])]
        );
    }

    /// <summary>Tensors of the rows, for keeping.</summary>
    internal (string Name, Tensor Tensor)[] Tensors =>
        [
            ("ids", Rows.Ids),
            ("attention_mask", Rows.AttentionMask),
            ("completion_mask", Rows.CompletionMask),
            ("log_probs", Rows.LogProbs),
            ("drawn_log_probs", DrawnLogProbs),
        ];

    /// <summary>Returns a copy with its own tensors outside of all scopes: see <see cref="Free"/>.</summary>
    internal RolloutGroups Detached()
    {
        static Tensor Own(Tensor tensor) => tensor.detach().clone().DetachFromDisposeScope();
        return this with { Rows = Rows.Each(Own), DrawnLogProbs = Own(DrawnLogProbs) };
    }

    /// <summary>Disposes the tensors of detached groups.</summary>
    internal void Free()
    {
        foreach (var (_, tensor) in Tensors)
            tensor.Dispose();
    }
}
