using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>Groups of earlier steps in the order in which they came. <see cref="Take"/> does not change it; <see cref="Advance"/> does,
/// after the step's
/// updates.</summary>
internal sealed class ReplayBuffer(ReplayOptions options, int groupSize, int vocabularySize, ulong seed) : IDisposable
{
    /// <summary>Prefix of the names of its tensors.</summary>
    internal const string Prefix = "replay.";

    // Apart from the numbers that sampling and data draw of the same seed.
    private const ulong Stream = 1UL << 62;

    private readonly List<ReplayEntry> entries = [];

    internal int Count => entries.Count;

    /// <summary>Returns up to the given number of groups for a step.</summary>
    internal IReadOnlyList<ReplayEntry> Take(int count, long step)
    {
        var usable = entries.AsEnumerable().Reverse().Where(entry => step - entry.Step <= options.MaxAge);
        // The greatest of u^(1/w), u uniform, are a draw without repetition in proportion to w (Efraimidis and Spirakis 2006).
        return options.Order == ReplayOrder.Newest
            ? [.. usable.Take(count)]
            :
            [
                .. usable
                    .Select(
                        (entry, i) => (entry, Key: Math.Log(1 - CounterRandom.Uniform(seed, (ulong)step, Stream + (ulong)i)) / Score(entry))
                    )
                    .OrderByDescending(item => item.Key)
                    .Take(count)
                    .Select(item => item.entry),
            ];
    }

    /// <summary>Adds an item to a list that keeps the highest scores, and returns the item that goes, which may be the new one; default if
    /// none.</summary>
    internal static T? AddByScore<T>(List<T> items, T item, Func<T, double> score, int capacity)
        where T : class
    {
        if (items.Count < capacity)
        {
            items.Add(item);
            return default;
        }
        int least = Enumerable.Range(0, items.Count).MinBy(i => score(items[i]));
        if (score(item) <= score(items[least]))
            return item;
        var gone = items[least];
        items.RemoveAt(least);
        items.Add(item);
        return gone;
    }

    /// <summary>Ends a step: counts the uses of the taken groups, adds the sampled ones, and evicts groups that are exhausted, too old, or
    /// beyond capacity.</summary>
    internal void Advance(IReadOnlyList<ReplayEntry> taken, IEnumerable<RolloutGroups> drawn, long step)
    {
        foreach (var entry in taken)
            entry.Uses++;
        foreach (var groups in drawn)
            for (int group = 0; group < groups.Count; group++)
            {
                if (!groups.HasSignal(group))
                    continue;
                var entry = new ReplayEntry(Keep(groups, group), step, 0);
                if (options.Order == ReplayOrder.Newest)
                    entries.Add(entry);
                else
                    AddByScore(entries, entry, Score, options.Capacity)?.Groups.Free();
            }
        // From the next step on.
        Remove(entry => entry.Uses >= options.MaxUses || step + 1 - entry.Step > options.MaxAge);
        int excess = Math.Max(0, entries.Count - options.Capacity);
        foreach (var entry in entries.Take(excess))
            entry.Groups.Free();
        entries.RemoveRange(0, excess);
    }

    internal IEnumerable<(string Name, Tensor Tensor)> Tensors =>
        entries.SelectMany((entry, i) => entry.Tensors.Select(item => ($"replay.{i:D5}.{item.Name}", item.Tensor)));

    /// <summary>Reads and checks everything; pass the result to <see cref="Replace"/>.</summary>
    internal List<ReplayEntry> Read(IReadOnlyDictionary<string, Tensor> tensors)
    {
        var read = new List<ReplayEntry>();
        try
        {
            foreach (
                var group in tensors
                    .Where(item => item.Key.StartsWith(Prefix, StringComparison.Ordinal))
                    .GroupBy(item => item.Key[..Math.Min(item.Key.Length, "replay.00000.".Length)])
                    .OrderBy(group => group.Key, StringComparer.Ordinal)
            )
                read.Add(
                    ReplayEntry.Read(
                        group.Key,
                        group.ToDictionary(item => item.Key[group.Key.Length..], item => item.Value),
                        groupSize,
                        vocabularySize
                    )
                );
            if (read.Count > options.Capacity)
                throw new InvalidDataException($"the checkpoint holds {read.Count} groups for replay, expected at most {options.Capacity}");
            return read;
        }
        catch
        {
            foreach (var entry in read)
                entry.Groups.Free();
            throw;
        }
    }

    internal void Replace(List<ReplayEntry> with)
    {
        Dispose();
        entries.AddRange(with);
    }

    public void Dispose() => Remove(_ => true);

    private static double Score(ReplayEntry entry)
    {
        double mean = entry.Groups.Rewards.Average();
        return Math.Sqrt(entry.Groups.Rewards.Average(reward => (reward - mean) * (reward - mean)));
    }

    private static RolloutGroups Keep(RolloutGroups groups, int group)
    {
        using var scope = NewDisposeScope();
        return groups.Select([group]).Detached();
    }

    private void Remove(Predicate<ReplayEntry> unwanted)
    {
        foreach (var entry in entries.Where(entry => unwanted(entry)))
            entry.Groups.Free();
        entries.RemoveAll(unwanted);
    }
}
