using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>Rows of one block that go through the model at once.</summary>
/// <param name="Rows">Their tensors.</param>
/// <param name="Start">The number of the first one in the whole batch.</param>
/// <param name="Count">How many.</param>
/// <param name="Columns">Their longest completion.</param>
internal readonly record struct BatchPart(RolloutRows Rows, int Start, int Count, int Columns)
{
    /// <summary>The part's rows of a tensor of the whole batch, [N] or [N,T].</summary>
    internal Tensor Of(Tensor all)
    {
        var rows = all.narrow(0, Start, Count);
        return rows.dim() == 1 ? rows : rows.narrow(1, 0, Columns);
    }
}

/// <summary>
/// The blocks of a step side by side. Each goes through the model in its own shape; what is computed of all of them (advantages, masks,
/// denominators) sees tensors of N rows, padded on the right to the longest completion. They belong to the current scope.
/// </summary>
internal sealed class StepBatch
{
    private readonly IReadOnlyList<GroupBlock> blocks;

    internal StepBatch(IReadOnlyList<GroupBlock> blocks, int? microBatchSize)
    {
        this.blocks = blocks;
        RowCount = blocks.Sum(block => block.RowCount);
        Parts = [.. Cut(blocks, microBatchSize)];
        Mask = Stack(block => block.Rows.CompletionMask);
        LogProbs = Stack(block => block.Rows.LogProbs);
        DrawnLogProbs = Stack(block => block.DrawnLogProbs);
        Rewards = tensor(blocks.SelectMany(block => block.Rewards).ToArray()).to(Mask.device);
        Finished = tensor(blocks.SelectMany(block => block.Finished).ToArray()).to(Mask.device);
        GreedyRewards = blocks[0].GreedyRewards is null
            ? null
            : tensor(blocks.SelectMany(block => block.GreedyRewards!).ToArray()).to(Mask.device);
        Components = blocks[0]
            .Components.Keys.Where(name => blocks.All(block => block.Components.ContainsKey(name)))
            .ToDictionary(name => name, name => blocks.SelectMany(block => block.Components[name]).ToArray());
    }

    internal int RowCount { get; }

    internal IReadOnlyList<BatchPart> Parts { get; }

    internal Tensor Mask { get; }

    internal Tensor LogProbs { get; }

    internal Tensor DrawnLogProbs { get; }

    /// <summary>[N] float64.</summary>
    internal Tensor Rewards { get; }

    /// <summary>[N] bool.</summary>
    internal Tensor Finished { get; }

    internal Tensor? GreedyRewards { get; }

    internal IReadOnlyDictionary<string, double[]> Components { get; }

    /// <summary>[N,T] of what a model says of each part, [rows, columns]; no gradient is recorded.</summary>
    internal Tensor Ask(Func<RolloutRows, Tensor> question)
    {
        using var mode = no_grad();
        var answers = Parts
            .Select(part =>
            {
                using var scope = NewDisposeScope();
                return question(part.Rows).MoveToOuterDisposeScope();
            })
            .ToArray();
        return Concatenate(answers);
    }

    private Tensor Stack(Func<GroupBlock, Tensor> tensors) => Concatenate([.. blocks.Select(tensors)]);

    private static Tensor Concatenate(IReadOnlyList<Tensor> parts)
    {
        long columns = parts.Max(part => part.shape[1]);
        return cat([.. parts.Select(part => Widen(part, columns - part.shape[1]))], 0);
    }

    private static Tensor Widen(Tensor part, long more) => more == 0 ? part : cat([part, part.new_zeros(part.shape[0], more)], 1);

    private static IEnumerable<BatchPart> Cut(IReadOnlyList<GroupBlock> blocks, int? microBatchSize)
    {
        int before = 0;
        foreach (var block in blocks)
        {
            int size = microBatchSize ?? block.RowCount;
            for (int start = 0; start < block.RowCount; start += size)
            {
                int count = Math.Min(size, block.RowCount - start);
                var rows = block.Rows;
                yield return new BatchPart(
                    new RolloutRows(
                        rows.Ids.narrow(0, start, count),
                        rows.AttentionMask.narrow(0, start, count),
                        rows.CompletionMask.narrow(0, start, count),
                        rows.LogProbs.narrow(0, start, count)
                    ),
                    before + start,
                    count,
                    block.Columns
                );
            }
            before += block.RowCount;
        }
    }
}
