using System.Text.Json;
using PostTrain.Text.Files;

namespace PostTrain.Text;

/// <summary>The ids that end a generation, according to the files of a model's directory.</summary>
internal static class GenerationEnds
{
    private const int MaximumFileBytes = 16 << 20;

    // Files with the field <c>eos_token_id</c>: the generation settings, which transformers follows, then the model's configuration.
    private static readonly string[] Names = ["generation_config.json", "config.json"];

    /// <summary>Returns the ids of both files, those of the generation settings first; none if there is no file.</summary>
    /// <exception cref="InvalidDataException">A file is not a JSON object, or its <c>eos_token_id</c> is neither an id nor a list of
    /// ids.</exception>
    internal static IReadOnlyList<int> Of(string directory) =>
        [
            .. Names
                .Select(name => Path.Combine(directory, name))
                .Where(File.Exists)
                .SelectMany(path => Read(BoundedFile.ReadBytes(path, MaximumFileBytes, "a JSON object"), path))
                .Distinct(),
        ];

    /// <summary>Returns the ids of one file.</summary>
    internal static IReadOnlyList<int> Read(ReadOnlyMemory<byte> json, string path)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{path} is a JSON {root.ValueKind}, expected an object");
            return root.TryGetProperty("eos_token_id", out var ends) ? Ids(ends, path) : [];
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path} is not JSON: {exception.Message}", exception);
        }
    }

    // Older files use -1 for none.
    private static int[] Ids(JsonElement ends, string path)
    {
        if (ends.ValueKind == JsonValueKind.Null)
            return [];
        JsonElement[] all = ends.ValueKind == JsonValueKind.Array ? [.. ends.EnumerateArray()] : [ends];
        return all.All(end => end.ValueKind == JsonValueKind.Number && end.TryGetInt32(out _))
            ? [.. all.Select(end => end.GetInt32()).Where(id => id >= 0)]
            : throw new InvalidDataException($"{path}: \"eos_token_id\" is {ends.GetRawText()}, expected a token id or a list of them");
    }
}
