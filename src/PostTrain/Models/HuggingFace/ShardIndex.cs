using System.Text.Json;

namespace PostTrain.Models.HuggingFace;

/// <summary>A <c>model.safetensors.index.json</c>: the file of each tensor. Its content is not trusted.</summary>
internal static class ShardIndex
{
    /// <summary>Maximum length in bytes: an index of some hundred thousand tensors. Real ones have a tenth of that.</summary>
    private const long MaximumLength = 64 << 20;

    /// <summary>Maximum number of shards: each is a file that stays open while a checkpoint is read.</summary>
    private const int MaximumShards = 4096;

    /// <summary>Reads the index: tensor name to file name.</summary>
    /// <exception cref="InvalidDataException">The index is malformed, or names a file that is not a plain file name; the message names the
    /// index and the reason.</exception>
    public static IReadOnlyDictionary<string, string> Read(string path)
    {
        var length = new FileInfo(path).Length;
        if (length > MaximumLength)
            throw Broken(path, $"it has {length} bytes, the limit is {MaximumLength}");
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return Parse(json.RootElement, path);
        }
        catch (JsonException exception)
        {
            throw Broken(path, "it is not JSON: " + exception.Message, exception);
        }
        catch (InvalidOperationException exception)
        {
            // A string with half a surrogate pair cannot become a .NET string.
            throw Broken(path, "it has a string that is not valid text", exception);
        }
    }

    private static Dictionary<string, string> Parse(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw Broken(path, $"it is JSON of kind {root.ValueKind}, expected an object");
        if (!root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            throw Broken(path, "it has no weight_map, expected an object of tensor name to file name");
        CheckSize(root, path);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var shards = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in map.EnumerateObject())
        {
            if (item.Value.ValueKind != JsonValueKind.String)
                throw Broken(path, $"weight_map '{item.Name}' is of kind {item.Value.ValueKind}, expected a file name");
            var shard = item.Value.GetString()!;
            if (!IsPlainName(shard))
                throw Broken(
                    path,
                    $"weight_map '{item.Name}' is '{Shortened(shard)}', expected the name of a .safetensors file in the same directory"
                );
            // One string object per shard, regardless of the number of its tensors.
            shards.TryAdd(shard, shard);
            if (!files.TryAdd(item.Name, shards[shard]))
                throw Broken(path, $"the tensor '{item.Name}' occurs twice in weight_map");
            if (shards.Count > MaximumShards)
                throw Broken(path, $"it names more than {MaximumShards} files, the limit");
        }

        return files.Count > 0 ? files : throw Broken(path, "its weight_map is empty, expected at least one tensor");
    }

    // For information only: it causes no allocation, and in many published indices it is wrong by a tied tensor or a conversion.
    private static void CheckSize(JsonElement root, string path)
    {
        if (!root.TryGetProperty("metadata", out var metadata) || metadata.ValueKind == JsonValueKind.Null)
            return;
        if (metadata.ValueKind != JsonValueKind.Object)
            throw Broken(path, $"metadata is of kind {metadata.ValueKind}, expected an object");
        if (
            metadata.TryGetProperty("total_size", out var size)
            && !(
                size.ValueKind == JsonValueKind.Number
                && size.TryGetDouble(out var bytes)
                && bytes >= 0
                && bytes < long.MaxValue
                && bytes == Math.Floor(bytes)
            )
        )
            throw Broken(path, $"metadata total_size is {Shortened(size.GetRawText())}, expected a number of bytes");
    }

    private static bool IsPlainName(string name) =>
        name.Length is > 12 and <= 255
        && name.EndsWith(".safetensors", StringComparison.Ordinal)
        && name[0] != '.'
        && name.AsSpan().IndexOfAny("/\\:\0") < 0
        && !name.Any(char.IsControl);

    private static string Shortened(string text) => text.Length <= 60 ? text : text[..60] + "...";

    private static InvalidDataException Broken(string path, string reason, Exception? inner = null) =>
        new($"{path}: not an index of shards: {reason}.", inner);
}
