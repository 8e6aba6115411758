using PostTrain.Rollouts;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>Whole groups of completions that were drawn together, so that their rows have one shape; the tensors belong to the scope in
/// which they were taken.</summary>
/// <param name="Rows">Prompts, completions and the log-probs that training computes, N rows.</param>
/// <param name="DrawnLogProbs">[N,T]: log-probs of the pass that drew.</param>
/// <param name="GroupSize">Completions of a group.</param>
/// <param name="Rewards">N rewards, as the reward gave them.</param>
/// <param name="Finished">True where a completion ended by itself.</param>
/// <param name="Components">Named parts of the rewards, N each.</param>
/// <param name="GreedyRewards">One a group, or null.</param>
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
    /// <param name="groups">Numbers of the groups, at least one.</param>
    /// <param name="components">Names of the reward's parts that are kept.</param>
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

    /// <summary>Returns whether the rewards of a group differ: equal ones give no gradient.</summary>
    internal bool HasSignal(int group) => HasSignal(Rewards.AsSpan(group * GroupSize, GroupSize));

    /// <summary>Returns whether the rewards of a group differ: equal ones give no gradient.</summary>
    internal static bool HasSignal(ReadOnlySpan<double> rewards) => rewards.ContainsAnyExcept(rewards[0]);

    /// <summary>Returns some of the groups: itself where they are all, else copies of their rows.</summary>
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

    /// <summary>Returns the same with tensors of its own, which belong to nobody's scope: see <see cref="Free"/>.</summary>
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
