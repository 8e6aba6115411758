using System.Text.Json;
using PostTrain.Data;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// Reads and writes checkpoint directories of Hugging Face's transformers: <c>config.json</c> and <c>model.safetensors</c>, for the
/// architectures <c>gpt2</c> and <c>llama</c>.
/// </summary>
public static class Pretrained
{
    private const string ConfigName = "config.json";
    private const string WeightsName = "model.safetensors";

    /// <summary>Loads a decoder.</summary>
    /// <param name="directory">Holds config.json and model.safetensors.</param>
    /// <param name="type">Type of the weights in memory; null takes the stored one. For training, float32: bfloat16 weights lose small updates.</param>
    /// <returns>The model, on the CPU; the caller disposes it.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such directory.</exception>
    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, the architecture is not supported, or tensors are missing, unexpected
    /// or of another shape than the configuration says; the message names the file, what it holds and what was expected.</exception>
    public static Decoder Load(string directory, ScalarType? type = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
        DecoderConfig config;
        using (var file = ConfigFile.Open(Path.Combine(directory, ConfigName)))
            config = Architectures.Read(file);
        var path = Path.Combine(directory, WeightsName);
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no file '{path}'; a checkpoint directory has {ConfigName} and {WeightsName}.", path);
        using var tensors = SafetensorsFile.Open(path);
        var weights = new CheckpointWeights(tensors, config, type ?? CheckpointWeights.StoredType(tensors, config));
        var model = new Decoder(config, weights);
        try
        {
            weights.Finish();
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Saves a decoder so that transformers and <see cref="Load"/> read it; loading gives the same bits back.</summary>
    /// <param name="model">The model. Only its own parameters are written: merge adapters first.</param>
    /// <param name="directory">Created where it does not exist; each file is replaced atomically, the weights first.</param>
    /// <exception cref="NotSupportedException">The model is not a <see cref="Decoder"/>, or neither architecture can express its configuration.</exception>
    public static void Save(CausalLm model, string directory)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (model is not Decoder decoder)
            throw new NotSupportedException($"A {model.GetType().Name} cannot be saved as a checkpoint of transformers, only a {nameof(Decoder)} can.");
        var config = decoder.Config;
        if (Architectures.WhyNotWritable(config) is { } reason)
            throw new NotSupportedException($"The model is not what transformers calls {config.Naming}: {reason}.");
        Directory.CreateDirectory(directory);

        using (var scope = NewDisposeScope())
        {
            using var mode = no_grad();
            var tensors = decoder.Weights().Select(item => (
                item.Name,
                CheckpointWeights.IsTransposed(config.Naming, item.Name) ? item.Parameter.t() : (Tensor)item.Parameter));
            SafetensorsFile.Write(Path.Combine(directory, WeightsName), tensors, new Dictionary<string, string> { ["format"] = "pt" });
        }

        var dtype = decoder.TokenEmbeddings.dtype switch
        {
            ScalarType.Float64 => "float64",
            ScalarType.Float16 => "float16",
            ScalarType.BFloat16 => "bfloat16",
            _ => "float32",
        };
        AtomicFile.Write(Path.Combine(directory, ConfigName), stream =>
        {
            using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
            Architectures.Write(json, config, dtype);
        });
    }
}
