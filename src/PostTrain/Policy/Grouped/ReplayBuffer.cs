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

/// <summary>A group kept for replay.</summary>
/// <param name="groups">One group, with its own tensors.</param>
/// <param name="step">The step that sampled it.</param>
/// <param name="uses">Number of times that it was used again.</param>
internal sealed class ReplayEntry(RolloutGroups groups, long step, int uses)
{
    private const string ComponentPrefix = "component.";

    internal RolloutGroups Groups { get; } = groups;

    internal long Step { get; } = step;

    internal int Uses { get; set; } = uses;

    /// <summary>All content as tensors of the current scope.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> Tensors =>
        [
            .. Groups.Tensors,
            ("rewards", tensor(Groups.Rewards)),
            ("finished", tensor(Groups.Finished.Select(finished => finished ? 1L : 0).ToArray())),
            ("use", tensor(new long[] { Step, Uses })),
            .. Groups.GreedyRewards is { } greedy ? [("greedy_reward", tensor(greedy))] : Array.Empty<(string, Tensor)>(),
            .. Groups
                .Components.OrderBy(part => part.Key, StringComparer.Ordinal)
                .Select(part => (ComponentPrefix + part.Key, tensor(part.Value))),
        ];

    /// <exception cref="InvalidDataException">A tensor is missing or does not fit.</exception>
    internal static ReplayEntry Read(string where, Dictionary<string, Tensor> tensors, int groupSize, int vocabularySize)
    {
        var read = new HashSet<string>(StringComparer.Ordinal);
        Tensor Get(string name, ScalarType? type, params long[] shape)
        {
            read.Add(name);
            if (!tensors.TryGetValue(name, out var found))
                throw new InvalidDataException($"tensor {where}{name} is missing from the checkpoint");
            if (
                (type ?? found.dtype) != found.dtype
                || found.dim() != shape.Length
                || shape.Where((size, i) => size >= 0 && size != found.shape[i]).Any()
            )
                throw new InvalidDataException(
                    $"tensor {where}{name} is {found.dtype} [{string.Join(", ", found.shape)}], expected {type} "
                        + $"[{string.Join(", ", shape)}], -1 for any size"
                );
            return found;
        }

        double[] Numbers(string name, int count) => [.. Get(name, ScalarType.Float64, count).data<double>()];
        var ids = Get("ids", ScalarType.Int64, groupSize, -1);
        var mask = Get("completion_mask", ScalarType.Float32, groupSize, -1);
        long width = ids.shape[1],
            columns = mask.shape[1];
        if (columns < 1 || columns >= width)
            throw new InvalidDataException(
                $"tensor {where}completion_mask has {columns} columns, expected 1 to {width - 1}, fewer than ids"
            );
        if (ids.lt(0).logical_or(ids.ge(vocabularySize)).any().ToBoolean())
            throw new InvalidDataException($"tensor {where}ids holds an id outside 0 to {vocabularySize - 1}");
        var logProbs = Get("log_probs", null, groupSize, columns);
        long[] use = [.. Get("use", ScalarType.Int64, 2).data<long>()];
        if (use.Any(value => value is < 0 or > int.MaxValue))
            throw new InvalidDataException($"tensor {where}use holds {string.Join(", ", use)}, expected no negative number");
        var groups = new RolloutGroups(
            new RolloutRows(ids, Get("attention_mask", ScalarType.Int64, groupSize, width), mask, logProbs),
            Get("drawn_log_probs", logProbs.dtype, groupSize, columns),
            groupSize,
            Numbers("rewards", groupSize),
            [.. Get("finished", ScalarType.Int64, groupSize).data<long>().ToArray().Select(value => value != 0)],
            tensors
                .Keys.Where(name => name.StartsWith(ComponentPrefix, StringComparison.Ordinal))
                .ToDictionary(name => name[ComponentPrefix.Length..], name => Numbers(name, groupSize)),
            tensors.ContainsKey("greedy_reward") ? Numbers("greedy_reward", 1) : null
        );
        if (tensors.Keys.FirstOrDefault(name => !read.Contains(name)) is { } surplus)
            throw new InvalidDataException($"tensor {where}{surplus} belongs to no part of a group");
        return new ReplayEntry(groups.Detached(), use[0], (int)use[1]);
    }
}
