using PostTrain.Numerics;

namespace PostTrain.Data;

/// <summary>The order in which group-based methods read prompts: in batches, each prompt several times in a row, each batch several
/// times.</summary>
public static class RepeatedOrder
{
    /// <summary>The indices of one pass.</summary>
    /// <remarks>[2, 4, 3, 1, 0] in batches of 2, 2 copies, 2 repeats: 2 2 4 4 2 2 4 4 3 3 1 1 3 3 1 1; the batch that is not full is left
    /// out.</remarks>
    /// <param name="order">The indices of the prompts, in order or permuted.</param>
    /// <param name="batchSize">Prompts in a batch, at least 1.</param>
    /// <param name="copies">Number of consecutive copies of a prompt: the completions of a group. At least 1.</param>
    /// <param name="repeats">Number of uses of a batch: the optimiser's steps on it. At least 1; default 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A count is below 1.</exception>
    public static IEnumerable<int> Indices(IReadOnlyList<int> order, int batchSize, int copies, int repeats = 1)
    {
        _ = Count(order.Count, batchSize, copies, repeats);
        return order
            .Chunk(batchSize)
            .Where(batch => batch.Length == batchSize)
            .SelectMany(batch =>
                Enumerable.Repeat(batch, repeats).SelectMany(again => again.SelectMany(index => Enumerable.Repeat(index, copies)))
            );
    }

    /// <summary>Returns the number of indices of one pass.</summary>
    /// <inheritdoc cref="Indices"/>
    /// <param name="count">Number of prompts.</param>
    /// <param name="batchSize">Prompts in a batch, at least 1.</param>
    /// <param name="copies">Number of consecutive copies of a prompt.</param>
    /// <param name="repeats">Number of uses of a batch.</param>
    public static long Count(int count, int batchSize, int copies, int repeats = 1)
    {
        Guard.AtLeast(batchSize, 1, nameof(batchSize));
        Guard.AtLeast(copies, 1, nameof(copies));
        Guard.AtLeast(repeats, 1, nameof(repeats));
        return (long)(count / batchSize) * batchSize * copies * repeats;
    }
}
