using System.Text.Json;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Prompts;

/// <summary>Reads and writes prompts in PEFT's format: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> with one tensor,
/// <c>prompt_embeddings</c>.</summary>
/// <remarks>The file holds only the rows, even if a network computed them. A loaded prompt is a <see cref="PromptTable"/> and can be
/// trained further. A <see cref="TemplatePromptLm"/> is written as PEFT's P-tuning with the field <c>virtual_token_placement</c>, which
/// PEFT does not know: it would put the tokens in front.</remarks>
public static class SoftPrompts
{
    internal const string ConfigName = "adapter_config.json";
    internal const string WeightsName = "adapter_model.safetensors";
    internal const string TensorName = "prompt_embeddings";

    /// <summary>Loads a prompt onto a model.</summary>
    /// <param name="model">The model, frozen from here on; owned by the caller. A prefix needs a <see cref="Decoder"/>.</param>
    /// <param name="directory">A directory with the two files, of PEFT's type PROMPT_TUNING, PREFIX_TUNING or P_TUNING.</param>
    /// <returns>A <see cref="SoftPromptLm"/>, <see cref="PrefixLm"/> or <see cref="TemplatePromptLm"/>; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, of another type, or does not fit the model; the message names the file,
    /// its content and the content expected.</exception>
    public static PromptedLm Load(CausalLm model, string directory)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
        var config = PromptConfig.Read(Existing(directory, ConfigName));
        var path = Existing(directory, WeightsName);
        var width = Width(model, config);
        using var file = SafetensorsFile.Open(path);
        if (file.Entries.FirstOrDefault(entry => entry.Name != TensorName) is { } other)
            throw new InvalidDataException($"{path}: tensor '{other.Name}' is unexpected, expected '{TensorName}' only.");
        if (!file.TryGetEntry(TensorName, out var rows))
            throw new InvalidDataException($"{path}: tensor '{TensorName}' is missing, expected [{config.Length},{width}].");
        if (!rows.Shape.SequenceEqual([config.Length, width]) || !is_floating_point(rows.Type))
            throw new InvalidDataException(
                $"{path}: tensor '{TensorName}' is {rows.Type} [{string.Join(",", rows.Shape)}], expected floating-point numbers "
                    + $"[{config.Length},{width}]."
            );
        using var scope = NewDisposeScope();
        var table = new PromptTable(file.Read(TensorName));
        return config.Placement switch
        {
            PromptPlacement.Layers => new PrefixLm((Decoder)model, table),
            PromptPlacement.Template => new TemplatePromptLm(model, table),
            _ => new SoftPromptLm(model, table),
        };
    }

    /// <summary>Saves a model's prompt in a form that PEFT and <see cref="Load"/> can read: the rows that the encoder computes in
    /// evaluation mode.</summary>
    /// <param name="model">The prompted model; its base is not written.</param>
    /// <param name="directory">Created if missing; each file is replaced atomically, the tensor first.</param>
    /// <param name="baseModel">Name or path of the base model, for PEFT; null leaves the field empty.</param>
    public static void Save(PromptedLm model, string directory, string? baseModel = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        Directory.CreateDirectory(directory);
        using (var table = model.Encoder.Fold())
            SafetensorsFile.Write(
                Path.Combine(directory, WeightsName),
                [(TensorName, table.Weight)],
                new Dictionary<string, string> { ["format"] = "pt" }
            );
        AtomicFile.Write(
            Path.Combine(directory, ConfigName),
            stream =>
            {
                using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
                PromptConfig.Write(json, model, baseModel);
            }
        );
    }

    private static string Existing(string directory, string name)
    {
        var path = Path.Combine(directory, name);
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"There is no file '{path}'; a prompt's directory has {ConfigName} and {WeightsName}.", path);
    }

    // Checked before the tensor is read, so that a hostile length allocates nothing.
    private static int Width(CausalLm model, PromptConfig config)
    {
        if (config.Length >= model.ContextLength)
            throw config.Error(
                "num_virtual_tokens",
                config.Length,
                $"at most {model.ContextLength - 1}, one less than the model's context"
            );
        if (config.Placement != PromptPlacement.Layers)
        {
            if (config.TokenSize is { } size && size != model.HiddenSize)
                throw config.Error("token_dim", size, $"the model's hidden size, {model.HiddenSize}");
            return model.HiddenSize;
        }

        if (model is not Decoder decoder)
            throw new InvalidDataException($"{config.Path}: a prefix needs a {nameof(Decoder)}, the model is a {model.GetType().Name}.");
        if (config.Layers is { } layers && layers != decoder.Config.Layers)
            throw config.Error("num_layers", layers, $"the model's, {decoder.Config.Layers}");
        return PrefixLm.WidthFor(decoder);
    }
}
