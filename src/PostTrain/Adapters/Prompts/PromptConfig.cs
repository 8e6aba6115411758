using System.Text.Json;
using PostTrain.Models;
using PostTrain.Models.HuggingFace;

namespace PostTrain.Adapters.Prompts;

/// <summary>The content of PEFT's <c>adapter_config.json</c> for a prompt. Fields on initialisation and encoder network are not needed
/// afterwards.</summary>
/// <param name="Path">The file, for errors.</param>
/// <param name="Placement">The placement, from <c>peft_type</c>.</param>
/// <param name="Length"><c>num_virtual_tokens</c>, at least 1.</param>
/// <param name="TokenSize"><c>token_dim</c>, if given.</param>
/// <param name="Layers"><c>num_layers</c>, if given.</param>
internal sealed record PromptConfig(string Path, PromptPlacement Placement, int Length, int? TokenSize, int? Layers)
{
    private const string PlacementField = "virtual_token_placement";

    /// <exception cref="InvalidDataException">The file is malformed or of another type.</exception>
    public static PromptConfig Read(string path)
    {
        using var file = ConfigFile.Open(path);
        var type = file.Text("peft_type");
        var task = file.OptionalText("task_type");
        if (task is not null and not "CAUSAL_LM")
            throw file.Error("task_type", $"'{Shortened(task)}'", "CAUSAL_LM");
        if (file.OptionalSize("num_transformer_submodules") is > 1 and var submodules)
            throw file.Error("num_transformer_submodules", $"{submodules}", "1, as of a decoder");
        var placement = (type, file.OptionalText(PlacementField)) switch
        {
            ("PROMPT_TUNING" or "P_TUNING", null) => PromptPlacement.Embeddings,
            ("P_TUNING", "template") => PromptPlacement.Template,
            ("PREFIX_TUNING", null) => PromptPlacement.Layers,
            ("PROMPT_TUNING" or "P_TUNING" or "PREFIX_TUNING", { } other) => throw file.Error(
                PlacementField,
                $"'{Shortened(other)}'",
                "template, for P_TUNING only"
            ),
            _ => throw file.Error("peft_type", $"'{Shortened(type)}'", "PROMPT_TUNING, PREFIX_TUNING or P_TUNING"),
        };
        return new PromptConfig(
            path,
            placement,
            file.Size("num_virtual_tokens"),
            file.OptionalSize("token_dim"),
            file.OptionalSize("num_layers")
        );
    }

    /// <summary>Writes the fields that PEFT needs to load a prompt for inference.</summary>
    public static void Write(Utf8JsonWriter json, PromptedLm model, string? baseModel)
    {
        var root = model.Base;
        while (root is PromptedLm inner)
            root = inner.Base;
        var config = (root as Decoder)?.Config;
        var isPrefix = model is PrefixLm;
        json.WriteStartObject();
        json.WriteString("base_model_name_or_path", baseModel);
        json.WriteBoolean("inference_mode", true);
        json.WriteString(
            "peft_type",
            isPrefix ? "PREFIX_TUNING"
                : model is TemplatePromptLm || model.Encoder is not PromptTable ? "P_TUNING"
                : "PROMPT_TUNING"
        );
        json.WriteString("task_type", "CAUSAL_LM");
        json.WriteNumber("num_transformer_submodules", 1);
        json.WriteNumber("num_virtual_tokens", model.Encoder.Length);
        if (config is not null)
        {
            json.WriteNumber("num_layers", config.Layers);
            // PEFT's number of heads is that of the prefix.
            json.WriteNumber("num_attention_heads", isPrefix ? config.KeyValueHeads : config.Heads);
        }

        json.WriteNumber("token_dim", isPrefix ? config!.KeyValueHeads * config.HeadSize : model.HiddenSize);
        if (isPrefix)
            json.WriteBoolean("prefix_projection", false);
        if (model is TemplatePromptLm)
            json.WriteString(PlacementField, "template");
        json.WriteEndObject();
    }

    public InvalidDataException Error(string field, int given, string expected) =>
        new($"{Path}: field '{field}' is {given}, expected {expected}.");

    private static string Shortened(string text) => text.Length <= 60 ? text : text[..60] + "...";
}
