using System.Text.Json;
using System.Text.Json.Nodes;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Vision;

/// <summary>The config.json of a LLaVA checkpoint.</summary>
/// <param name="Text">The language model.</param>
/// <param name="Vision">The encoder and the choice of features.</param>
/// <param name="Projector">The projector.</param>
/// <param name="ImageTokenId">Id that stands for a feature vector.</param>
internal sealed record LlavaConfig(DecoderConfig Text, VisionConfig Vision, VisionProjectorOptions Projector, int ImageTokenId)
{
    private const string ModelType = "llava",
        VisionType = "clip_vision_model";

    public static LlavaConfig Read(ConfigFile file)
    {
        if (file.Text("model_type") is var type && type != ModelType)
            throw file.Error("model_type", $"'{type}'", $"'{ModelType}'");
        if (file.OptionalObject("quantization_config") is not null)
            throw file.Error("quantization_config", "given", "none: quantised weights are not read");
        using var text = file.Nested("text_config", "tie_word_embeddings");
        using var pictures = file.Nested("vision_config");
        var decoder = Architectures.Read(text);
        var vision = ReadVision(file, pictures);
        return new LlavaConfig(
            decoder,
            vision,
            new VisionProjectorOptions
            {
                Inputs = vision.FeatureSize,
                Outputs = decoder.HiddenSize,
                Activation = ActivationNames.Read(file, "projector_hidden_act", "gelu"),
                Bias = file.Flag("multimodal_projector_bias", true),
            },
            file.OptionalId("image_token_index")
                ?? file.OptionalId("image_token_id")
                ?? throw file.Error("image_token_index", "absent", "a token id")
        );
    }

    public JsonObject Write(string dtype)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
            Architectures.Write(json, Text, dtype);
        return new JsonObject
        {
            ["architectures"] = new JsonArray("LlavaForConditionalGeneration"),
            ["model_type"] = ModelType,
            ["torch_dtype"] = dtype,
            ["text_config"] = JsonNode.Parse(buffer.ToArray()),
            ["vision_config"] = new JsonObject
            {
                ["model_type"] = VisionType,
                ["hidden_size"] = Vision.HiddenSize,
                ["intermediate_size"] = Vision.FeedForwardSize,
                ["num_hidden_layers"] = Vision.Layers,
                ["num_attention_heads"] = Vision.Heads,
                ["num_channels"] = Vision.Channels,
                ["image_size"] = Vision.ImageSize,
                ["patch_size"] = Vision.PatchSize,
                ["hidden_act"] = ActivationNames.Of(Vision.Activation),
                ["layer_norm_eps"] = Vision.NormEpsilon,
                ["attention_dropout"] = 0.0,
            },
            ["image_token_index"] = ImageTokenId,
            ["image_seq_length"] = Vision.FeatureCount,
            ["projector_hidden_act"] = ActivationNames.Of(Projector.Activation),
            ["multimodal_projector_bias"] = Projector.Bias,
            ["vision_feature_select_strategy"] = Vision.IncludesClassToken ? "full" : "default",
            ["vision_feature_layer"] = Vision.FeatureLayers is [var layer]
                ? layer
                : new JsonArray([.. Vision.FeatureLayers.Select(each => (JsonNode?)each)]),
            ["tie_word_embeddings"] = Text.TiedEmbeddings,
        };
    }

    private static VisionConfig ReadVision(ConfigFile file, ConfigFile pictures)
    {
        if (pictures.OptionalText("model_type") is { } type && type != VisionType)
            throw pictures.Error("model_type", $"'{type}'", $"'{VisionType}'");
        var strategy = file.OptionalText("vision_feature_select_strategy") ?? "default";
        if (strategy is not ("default" or "full"))
            throw file.Error("vision_feature_select_strategy", $"'{strategy}'", "'default' or 'full'");
        try
        {
            return new VisionConfig
            {
                ImageSize = pictures.Size("image_size"),
                PatchSize = pictures.Size("patch_size"),
                Channels = pictures.OptionalSize("num_channels") ?? 3,
                HiddenSize = pictures.Size("hidden_size"),
                Layers = pictures.Size("num_hidden_layers"),
                Heads = pictures.Size("num_attention_heads"),
                FeedForwardSize = pictures.Size("intermediate_size"),
                Activation = ActivationNames.Read(pictures, "hidden_act", "quick_gelu"),
                NormEpsilon = pictures.Number("layer_norm_eps", 1e-5),
                FeatureLayers = FeatureLayers(file),
                IncludesClassToken = strategy == "full",
            }.Resolved();
        }
        catch (ArgumentException exception)
        {
            throw new InvalidDataException($"{pictures.Path}: the sizes do not agree: {exception.Message}", exception);
        }
    }

    private static int[] FeatureLayers(ConfigFile file)
    {
        const string field = "vision_feature_layer",
            expected = "a whole number or a list of them";
        if (file.Value(field) is not { } value)
            return [-2];
        JsonElement[] layers = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        return
        [
            .. layers.Select(layer =>
                layer.ValueKind == JsonValueKind.Number && layer.TryGetInt32(out int number)
                    ? number
                    : throw file.Error(field, value.GetRawText(), expected)
            ),
        ];
    }
}
