using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Search;

/// <summary>Keys and values of branches, and the caches that decodings go on from.</summary>
internal sealed class BranchCache(CausalLm model, int paddingId, long limit) : IDisposable
{
    private readonly List<BranchBlock> blocks = [];
    private long round;

    /// <summary>Tokens of beginnings that were run through the model.</summary>
    public long PrefilledTokens { get; private set; }

    public void BeginRound() => round++;

    /// <summary>Drops what is over the limit, the least recently used first.</summary>
    public void EndRound()
    {
        var bytes = blocks.Sum(block => block.Bytes);
        foreach (var block in blocks.OrderBy(block => block.Used).ToArray())
        {
            if (bytes <= limit)
                return;
            bytes -= block.Bytes;
            block.Drop();
            blocks.Remove(block);
        }
    }

    /// <summary>Copies rows of a cache that are about to be dropped.</summary>
    public BranchBlock Keep(KeyValueCache from, long[] places)
    {
        using var rows = tensor(places, device: from.Device);
        var block = new BranchBlock(from.CopyRows(rows), round);
        blocks.Add(block);
        return block;
    }

    /// <summary>A cache with all tokens of each row but the last, padded on the left, with room for the limits; null where no row has
    /// more than one token.</summary>
    /// <param name="rows">Token ids.</param>
    /// <param name="holders">Of each row, where its state is.</param>
    /// <param name="limits">New tokens of each row.</param>
    public KeyValueCache? Assemble(int[][] rows, IBranchHolder[] holders, int[] limits)
    {
        var width = rows.Max(row => row.Length) - 1;
        if (width == 0)
            return null;
        Prefill(rows, holders);
        var states = Array.ConvertAll(holders, holder => holder.State!);
        BranchBlock[] used = [.. states.Select(state => state.Block).Distinct()];
        foreach (var block in used)
            block.Used = round;
        var room = Math.Min(model.ContextLength, width + 1 + limits.Max());
        var cache = model.NewCache(rows.Length, room);
        try
        {
            var reserved = cache.Reserved;
            cache.Fill(
                [.. used.Select(block => block.Cache!)],
                [.. states.Select(state => (Array.IndexOf(used, state.Block), state.Row))],
                [.. states.Select((state, i) => Positions(reserved, width - (rows[i].Length - 1), width, state.First))]
            );
            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var block in blocks)
            block.Drop();
        blocks.Clear();
    }

    // A soft prompt's positions, padding (anything: the mask hides it), the tokens.
    private static long[] Positions(int reserved, int padding, int width, int first)
    {
        var positions = new long[reserved + width];
        for (var i = 0; i < positions.Length; i++)
            positions[i] =
                i < reserved ? i
                : i < reserved + padding ? 0
                : first + i - padding;
        return positions;
    }

    // Runs beginnings that nothing is kept of through the model, equal ones once.
    private void Prefill(int[][] rows, IBranchHolder[] holders)
    {
        var missing = new Dictionary<IBranchHolder, int[]>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < rows.Length; i++)
        {
            if (holders[i].State is not { Block.Cache: not null } state || !state.Tokens.AsSpan().SequenceEqual(rows[i]))
                missing.TryAdd(holders[i], rows[i]);
        }

        if (missing.Count == 0)
            return;
        var width = Math.Max(1, missing.Values.Max(row => row.Length) - 1);
        var ids = new long[missing.Count * width];
        var mask = new long[ids.Length];
        Array.Fill(ids, paddingId);
        var place = 0;
        foreach (var row in missing.Values)
        {
            var start = place++ * width + width - (row.Length - 1);
            for (var i = 0; i < row.Length - 1; i++)
                (ids[start + i], mask[start + i]) = (row[i], 1);
            PrefilledTokens += row.Length - 1;
        }

        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var cache = model.NewCache(missing.Count, width);
        try
        {
            model.Hidden(
                tensor(ids, [missing.Count, width], device: cache.Device),
                tensor(mask, [missing.Count, width], device: cache.Device),
                cache
            );
        }
        catch
        {
            cache.Dispose();
            throw;
        }

        var block = new BranchBlock(cache, round);
        blocks.Add(block);
        place = 0;
        foreach (var (holder, row) in missing)
            holder.State = new BranchState(block, place++, width - (row.Length - 1), row);
    }
}
