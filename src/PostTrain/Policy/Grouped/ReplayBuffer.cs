using PostTrain.Models;
using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

/// <summary>Groups of earlier steps, newest last. Looking changes nothing; <see cref="Advance"/> does, after the step's updates.</summary>
internal sealed class ReplayBuffer(ReplayOptions options, int groupSize, int vocabularySize) : IDisposable
{
    /// <summary>Before the names of its tensors.</summary>
    internal const string Prefix = "replay.";

    private readonly List<ReplayEntry> entries = [];

    internal int Count => entries.Count;

    /// <summary>Up to so many groups for a step, the newest first.</summary>
    internal IReadOnlyList<ReplayEntry> Take(int count, long step) =>
        [.. entries.AsEnumerable().Reverse().Where(entry => step - entry.Step <= options.MaxAge).Take(count)];

    /// <summary>Ends a step: counts the uses of what it took, keeps the groups that it drew, and lets go what is used up, too old, or too
    /// much.</summary>
    internal void Advance(IReadOnlyList<ReplayEntry> taken, IEnumerable<RolloutGroups> drawn, long step)
    {
        foreach (var entry in taken)
            entry.Uses++;
        foreach (var groups in drawn)
            for (int group = 0; group < groups.Count; group++)
                if (groups.HasSignal(group))
                    entries.Add(new ReplayEntry(Keep(groups, group), step, 0));
        // From the next step on.
        Remove(entry => entry.Uses >= options.MaxUses || step + 1 - entry.Step > options.MaxAge);
        int excess = Math.Max(0, entries.Count - options.Capacity);
        foreach (var entry in entries.Take(excess))
            entry.Groups.Free();
        entries.RemoveRange(0, excess);
    }

    internal IEnumerable<(string Name, Tensor Tensor)> Tensors =>
        entries.SelectMany((entry, i) => entry.Tensors.Select(item => ($"replay.{i:D5}.{item.Name}", item.Tensor)));

    /// <summary>Reads and checks everything; the result is to be given to <see cref="Replace"/>.</summary>
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
