using PostTrain.Rollouts;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>Whole groups of completions that were drawn together, so that their rows have one shape; the tensors belong to the scope in
/// which the block was made.</summary>
/// <param name="Rows">Prompts, completions and the log-probs that training computes, N rows.</param>
/// <param name="DrawnLogProbs">[N,T]: as the pass gave them that drew.</param>
/// <param name="GroupSize">Completions of a group.</param>
/// <param name="Rewards">N rewards, as the reward gave them.</param>
/// <param name="Finished">Whether each completion ended by itself.</param>
/// <param name="Components">Named parts of the rewards, N each.</param>
/// <param name="GreedyRewards">One a group, or null.</param>
internal sealed record GroupBlock(
    RolloutRows Rows,
    Tensor DrawnLogProbs,
    int GroupSize,
    double[] Rewards,
    bool[] Finished,
    IReadOnlyDictionary<string, double[]> Components,
    double[]? GreedyRewards
)
{
    internal int RowCount => Rewards.Length;

    internal int Groups => Rewards.Length / GroupSize;

    internal int Columns => (int)Rows.CompletionMask.shape[1];

    /// <summary>Whether the rewards of a group differ, so that comparing them teaches something.</summary>
    internal bool Teaches(int group) => Differ(Rewards.AsSpan(group * GroupSize, GroupSize));

    internal static bool Differ(ReadOnlySpan<double> rewards) => rewards.ContainsAnyExcept(rewards[0]);

    /// <summary>Some of the groups: itself where they are all, else copies of their rows.</summary>
    internal GroupBlock Select(IReadOnlyList<int> groups)
    {
        if (groups.Count == Groups)
            return this;
        int[] rows = [.. groups.SelectMany(group => Enumerable.Range(group * GroupSize, GroupSize))];
        using var index = tensor(rows.Select(row => (long)row).ToArray(), device: Rows.Ids.device);
        Tensor Of(Tensor all) => all.index_select(0, index);
        T[] Chosen<T>(T[] values) => [.. rows.Select(row => values[row])];
        return new GroupBlock(
            new RolloutRows(Of(Rows.Ids), Of(Rows.AttentionMask), Of(Rows.CompletionMask), Of(Rows.LogProbs)),
            Of(DrawnLogProbs),
            GroupSize,
            Chosen(Rewards),
            Chosen(Finished),
            Components.ToDictionary(part => part.Key, part => Chosen(part.Value)),
            GreedyRewards is null ? null : [.. groups.Select(group => GreedyRewards[group])]
        );
    }

    /// <summary>The tensors of the rows, for keeping.</summary>
    internal (string Name, Tensor Tensor)[] Tensors =>
        [
            ("ids", Rows.Ids),
            ("attention_mask", Rows.AttentionMask),
            ("completion_mask", Rows.CompletionMask),
            ("log_probs", Rows.LogProbs),
            ("drawn_log_probs", DrawnLogProbs),
        ];

    /// <summary>The same with tensors of its own, which belong to nobody's scope: see <see cref="Free"/>.</summary>
    internal GroupBlock Detached()
    {
        static Tensor Own(Tensor tensor) => tensor.detach().clone().DetachFromDisposeScope();
        return this with
        {
            Rows = new RolloutRows(Own(Rows.Ids), Own(Rows.AttentionMask), Own(Rows.CompletionMask), Own(Rows.LogProbs)),
            DrawnLogProbs = Own(DrawnLogProbs),
        };
    }

    /// <summary>Gives the tensors of a detached block back.</summary>
    internal void Free()
    {
        foreach (var (_, tensor) in Tensors)
            tensor.Dispose();
    }
}
