using PostTrain.Rollouts;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Grouped;

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
