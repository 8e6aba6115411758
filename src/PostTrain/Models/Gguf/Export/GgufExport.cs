using PostTrain.Models.HuggingFace;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Models.Gguf;

/// <summary>Writes models as GGUF, the file that llama.cpp, Ollama and LLamaSharp run.</summary>
/// <remarks>Architectures: llama and mistral (there both are <c>llama</c>), qwen2, qwen3, gemma, gemma2, gemma3_text, phi3, gpt2. Tokenizer
/// and chat template go into the file. Tensors are converted one by one; the file is written beside the target and renamed.</remarks>
public static class GgufExport
{
    /// <summary>Writes a checkpoint directory of transformers, in the memory of one tensor.</summary>
    /// <param name="directory">Holds config.json, the weights, and the tokenizer's files.</param>
    /// <param name="path">The file to write or to replace.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="stop">Stops between two tensors and leaves nothing behind.</param>
    /// <exception cref="NotSupportedException">llama.cpp does not compute this model, or not this tokenizer; the message says
    /// what.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or a tensor is missing or unexpected.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static void Write(
        string directory,
        string path,
        GgufExportOptions? options = null,
        IProgress<ExportProgress>? progress = null,
        CancellationToken stop = default
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}'.");
        using var file = ConfigFile.Open(Path.Combine(directory, CheckpointOrigin.ConfigName));
        var config = Architectures.Read(file);
        using var weights = CheckpointFiles.Open(directory);
        CheckLayers(config, weights);
        var parameters = weights.Entries.Where(entry => !IsBuffer(entry.Name, config)).Select(entry => Stored(weights, entry, config));
        var all = parameters.ToList();
        Check(all, config, weights.Path);
        Write(config, all, directory, path, options, progress, stop);
    }

    /// <summary>Writes a model in memory.</summary>
    /// <param name="model">A decoder, without adapters: merge them first.</param>
    /// <param name="tokenizerDirectory">Holds the tokenizer's files and the chat template.</param>
    /// <param name="path">The file to write or to replace.</param>
    /// <param name="options">As for a directory.</param>
    /// <param name="progress">As for a directory.</param>
    /// <param name="stop">As for a directory.</param>
    /// <inheritdoc cref="Write(string, string, GgufExportOptions?, IProgress{ExportProgress}?, CancellationToken)" path="/exception"/>
    public static void Write(
        Decoder model,
        string tokenizerDirectory,
        string path,
        GgufExportOptions? options = null,
        IProgress<ExportProgress>? progress = null,
        CancellationToken stop = default
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(tokenizerDirectory);
        if (model.HasAdapter)
            throw new ArgumentException("the model has an adapter; merge it, or write the adapter as a file of its own", nameof(model));
        var parameters = model
            .Weights()
            .Select(item => new GgufTensors.Parameter(item.Name, item.Parameter.shape, () => item.Parameter.detach()))
            .ToList();
        Write(model.Config, parameters, tokenizerDirectory, path, options, progress, stop);
    }

    private static void Write(
        DecoderConfig config,
        IReadOnlyList<GgufTensors.Parameter> parameters,
        string directory,
        string path,
        GgufExportOptions? options,
        IProgress<ExportProgress>? progress,
        CancellationToken stop
    )
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new GgufExportOptions();
        options.Validate();
        var name = GgufArchitecture.NameOf(config);
        if (!options.AllowDifferences && GgufArchitecture.Difference(name, config) is { } difference)
            throw new NotSupportedException(
                $"llama.cpp's {name} leaves out of this model {difference}. Set {nameof(GgufExportOptions.AllowDifferences)} to "
                    + "write it nevertheless."
            );
        var tensors = new GgufTensors(name, config, options.Type);
        GgufSource[] sources = [.. new[] { tensors.FrequencyFactors() }.Concat(parameters.Select(tensors.Of)).OfType<GgufSource>()];
        GgufWriter.Write(path, Metadata(name, config, directory, options), sources, progress, stop);
    }

    private static List<(string Key, object Value)> Metadata(string name, DecoderConfig config, string directory, GgufExportOptions options)
    {
        List<(string, object)> metadata =
        [
            ("general.architecture", name),
            ("general.type", "model"),
            ("general.name", options.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)))),
            ("general.file_type", FileType(options.Type)),
            ("general.quantization_version", 2u),
            .. GgufArchitecture.Keys(name, config),
        ];
        if (options.Vocabulary)
            metadata.AddRange(GgufVocabulary.Keys(directory, config, options.PreTokenizer));
        return metadata;
    }

    // llama.cpp's numbers for what most of a file is made of.
    private static uint FileType(GgufType type) =>
        type switch
        {
            GgufType.F32 => 0,
            GgufType.F16 => 1,
            GgufType.Q4_0 => 2,
            GgufType.Q8_0 => 7,
            _ => 32,
        };

    // A room for each layer is made before its weights are looked for.
    private static void CheckLayers(DecoderConfig config, CheckpointFiles weights)
    {
        var count = weights.Entries.Count();
        if (config.Layers > count)
            throw new InvalidDataException(
                $"{weights.Path}: the configuration has {config.Layers} layers and there are {count} tensors in all; at least one "
                    + "of each layer is missing."
            );
    }

    private static void Check(IReadOnlyList<GgufTensors.Parameter> given, DecoderConfig config, string path)
    {
        var expected = ShapesOnly.Of(config).ToDictionary(item => Plain(item.Key), item => item.Value, StringComparer.Ordinal);
        var names = given.Select(parameter => Plain(parameter.Name)).ToHashSet(StringComparer.Ordinal);
        if (expected.Keys.FirstOrDefault(name => !names.Contains(name)) is { } missing)
            throw new InvalidDataException($"{path}: tensor '{missing}' is missing.");
        foreach (var parameter in given.Where(item => !(config.TiedEmbeddings && item.Name == "lm_head.weight")))
        {
            if (!expected.TryGetValue(Plain(parameter.Name), out var shape))
                throw new InvalidDataException($"{path}: tensor '{parameter.Name}' is unexpected.");
            if (!parameter.Shape.SequenceEqual(shape))
                throw new InvalidDataException(
                    $"{path}: tensor '{parameter.Name}' has the shape [{string.Join(",", parameter.Shape)}], expected "
                        + $"[{string.Join(",", shape)}]."
                );
        }
    }

    private static string Plain(string name) =>
        name.StartsWith("transformer.", StringComparison.Ordinal) ? name["transformer.".Length..] : name;

    // Masks and frequencies that older files hold.
    private static bool IsBuffer(string name, DecoderConfig config) =>
        name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || (
            config.Naming == ModuleNaming.Gpt2
            && (name.EndsWith(".attn.bias", StringComparison.Ordinal) || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal))
        );

    private static GgufTensors.Parameter Stored(CheckpointFiles weights, SafetensorsEntry entry, DecoderConfig config)
    {
        var transposed = CheckpointWeights.IsTransposed(config.Naming, entry.Name);
        return new GgufTensors.Parameter(
            entry.Name,
            transposed ? [.. entry.Shape.Reverse()] : entry.Shape,
            () =>
            {
                var tensor = empty(entry.Shape.ToArray(), dtype: entry.Type);
                weights.ReadInto(entry.Name, tensor);
                return transposed ? tensor.t() : tensor;
            }
        );
    }
}
