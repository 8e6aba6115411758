using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.HuggingFace;

/// <summary>How tensors are spread over files: in their order, a new file where the next tensor would not fit into the one begun, as
/// Hugging Face's libraries do.</summary>
internal static partial class Shards
{
    /// <summary>File names and their tensors.</summary>
    public static IReadOnlyList<(string File, IReadOnlyList<(string Name, Tensor Tensor)> Tensors)> Plan(
        IReadOnlyList<(string Name, Tensor Tensor)> tensors,
        ScalarType? type,
        long maximum
    ) => Plan(tensors, item => Bytes(item.Tensor, type), maximum);

    /// <summary>File names and what goes into them.</summary>
    public static IReadOnlyList<(string File, IReadOnlyList<T> Items)> Plan<T>(IReadOnlyList<T> items, Func<T, long> length, long maximum)
    {
        var parts = new List<List<T>>();
        long size = 0;
        foreach (var item in items)
        {
            var bytes = length(item);
            if (parts.Count == 0 || (size + bytes > maximum && size > 0))
            {
                parts.Add([]);
                size = 0;
            }

            parts[^1].Add(item);
            size += bytes;
        }

        return parts.Count == 1
            ? [(CheckpointFiles.WeightsName, parts[0])]
            :
            [
                .. parts.Select(
                    (part, i) => (FormattableString.Invariant($"model-{i + 1:D5}-of-{parts.Count:D5}.safetensors"), (IReadOnlyList<T>)part)
                ),
            ];
    }

    public static long Bytes(Tensor tensor, ScalarType? type) =>
        tensor.NumberOfElements * SafetensorsTypes.SizeOf(SafetensorsWriter.StoredType(tensor, type));

    /// <summary>transformers' order of a layer's parts: what computes, then the layer norms beside it. Only the cut into shards depends on
    /// it.</summary>
    public static IEnumerable<(string Name, T Value)> InOrderOfTransformers<T>(IEnumerable<(string Name, T Value)> tensors)
    {
        var groups = new List<(string Layer, List<(string Name, T Value)> Items)>();
        foreach (var item in tensors)
        {
            var layer = LayerPrefix().Match(item.Name).Value;
            if (groups.Count == 0 || groups[^1].Layer != layer)
                groups.Add((layer, []));
            groups[^1].Items.Add(item);
        }

        return groups.SelectMany(group =>
            group.Layer.Length == 0
                ? group.Items
                : group.Items.OrderBy(item => item.Name.AsSpan(group.Layer.Length).Contains("layernorm", StringComparison.Ordinal)).ToList()
        );
    }

    /// <summary>Whether a save may have left a file of this name as one of its shards.</summary>
    public static bool IsShard(string name) => ShardName().IsMatch(name);

    [GeneratedRegex(@"^model\.layers\.\d+\.", RegexOptions.CultureInvariant)]
    private static partial Regex LayerPrefix();

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors$", RegexOptions.CultureInvariant)]
    private static partial Regex ShardName();
}
