using System.Text.Json.Nodes;
using PostTrain.Data;
using PostTrain.Models.HuggingFace;
using PostTrain.Text;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>The files beside the merged weights: configuration, and unchanged files of tokenizer and generation.</summary>
internal static class MergeFiles
{
    // Above it a file is no tokenizer's.
    private const long MaximumBytes = 512 << 20;

    private static readonly string[] Carried =
    [
        CheckpointOrigin.GenerationName,
        TokenizerJson.FileName,
        TokenizerConfig.FileName,
        CharacterTokenizer.FileName,
        GreedyTokenizer.FileName,
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "tokenizer.model",
        "chat_template.jinja",
        "chat_template.json",
    ];

    private const string FurtherTemplates = "additional_chat_templates";

    internal static void Write(string directory, MergeConfig config, MergePlan plan, MergeSources sources, VocabularyUnion? vocabulary)
    {
        AtomicFile.Write(
            Path.Combine(directory, CheckpointOrigin.ConfigName),
            stream => stream.Write(CheckpointConfig.Bytes(Configuration(config, plan, sources, vocabulary)))
        );
        var origin = plan.Reference.Directory;
        foreach (var name in Carried.Concat(Directory.GetFiles(origin, "tok*.bin").Select(path => Path.GetFileName(path)!)))
            Copy(Path.Combine(origin, name), Path.Combine(directory, name));
        var further = Path.Combine(origin, FurtherTemplates);
        if (Directory.Exists(further))
        {
            foreach (var path in Directory.GetFiles(further, "*.jinja"))
                Copy(path, Path.Combine(directory, FurtherTemplates, Path.GetFileName(path)));
        }

        vocabulary?.Write(directory);
    }

    private static JsonObject Configuration(MergeConfig config, MergePlan plan, MergeSources sources, VocabularyUnion? vocabulary)
    {
        var json = (JsonObject)plan.Reference.Config.DeepClone();
        if (config.Type is { } type)
            json[json.ContainsKey("torch_dtype") && !json.ContainsKey("dtype") ? "torch_dtype" : "dtype"] = CheckpointConfig.NameOf(type);
        if (vocabulary is not null)
            json["vocab_size"] = vocabulary.Size;
        if (config.Slices.Count == 0)
            return json;
        json[json.ContainsKey("n_layer") ? "n_layer" : "num_hidden_layers"] = plan.LayerOrigins.Count;
        if (json["layer_types"] is JsonArray)
            json["layer_types"] = new JsonArray([
                .. plan.LayerOrigins.Select(origin =>
                    sources[origin.Directory].Config["layer_types"] is JsonArray types && origin.Layer < types.Count
                        ? types[origin.Layer]!.DeepClone()
                        : throw new InvalidDataException(
                            $"{origin.Directory}: config.json has no layer_types for layer {origin.Layer}, which "
                                + $"{plan.Reference.Directory} has"
                        )
                ),
            ]);
        return json;
    }

    private static void Copy(string from, string to)
    {
        if (!File.Exists(from))
            return;
        if (new FileInfo(from).Length > MaximumBytes)
            throw new InvalidDataException(
                $"{from} has {new FileInfo(from).Length} bytes, expected a tokenizer's file of at most {MaximumBytes}"
            );
        AtomicFile.Write(
            to,
            stream =>
            {
                using var source = File.OpenRead(from);
                source.CopyTo(stream);
            }
        );
    }
}
