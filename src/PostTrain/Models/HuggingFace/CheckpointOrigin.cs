using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Text.Files;

namespace PostTrain.Models.HuggingFace;

/// <summary>The settings of a loaded checkpoint beside its weights. A decoder's configuration holds only what the decoder uses; the rest
/// (initialiser range, version, generation settings) is kept here for saving.</summary>
/// <param name="Config">All of <c>config.json</c>.</param>
/// <param name="Generation">The bytes of <c>generation_config.json</c>, or null if there is none.</param>
internal sealed record CheckpointOrigin(JsonElement Config, byte[]? Generation)
{
    public const string ConfigName = "config.json";
    public const string GenerationName = "generation_config.json";

    private const int MaximumGenerationLength = 1 << 20;

    /// <summary>The same with another number in a field of config.json.</summary>
    public CheckpointOrigin With(string field, int value)
    {
        var config = JsonObject.Create(Config.Clone())!;
        config[field] = value;
        return this with { Config = config.Deserialize<JsonElement>() };
    }

    public static CheckpointOrigin Of(ConfigFile config, string directory)
    {
        var path = Path.Combine(directory, GenerationName);
        if (!File.Exists(path))
            return new CheckpointOrigin(config.Everything(), null);
        var bytes = BoundedFile.ReadBytes(path, MaximumGenerationLength, "settings of generation");
        try
        {
            using var json = JsonDocument.Parse(bytes);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{path}: the file holds JSON of kind {json.RootElement.ValueKind}, expected an object.");
        }
        catch (JsonException exception)
        {
            throw new InvalidDataException($"{path}: the file is not JSON: {exception.Message}", exception);
        }

        return new CheckpointOrigin(config.Everything(), bytes);
    }
}
